'use strict'

/* Reads what callers pass in. Only own properties count: what somebody put on
 * Object.prototype never reaches a child. Types are checked here, values in the
 * engine. */

const path = require('node:path')
const { isMap } = require('node:util').types
const native = require('./native')
const { MAX_ID, own } = require('./arguments')
const { readHostEnv } = require('./host-env')
const { coded, describe, quote, wrongType } = require('./errors')

/** What typeof says of the values of each type of option. */
const kinds = {
  __proto__: null,
  integer: { type: 'number', wanted: 'an integer' },
  number: { type: 'number', wanted: 'a number' },
  boolean: { type: 'boolean', wanted: 'true or false' },
  choice: { type: 'string', wanted: 'a string' },
}

/**
 * The engine's options by the object that they are read from: '' for what is
 * given itself, 'stopSignal' for "stopSignal.to". Each has its place in the
 * engine's table as `index`.
 */
const groups = new Map()
for (const [index, { name, type, perProcess }] of native.options.entries()) {
  const dot = name.indexOf('.')
  const group = dot < 0 ? '' : name.slice(0, dot)
  if (!groups.has(group)) groups.set(group, [])
  groups.get(group).push({ name, key: name.slice(dot + 1), index, perProcess, ...kinds[type] })
}

/** The elements of an array of strings, copied; undefined if it is not given. */
function readStrings(value, field) {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw wrongType(field, 'an array of strings', value)
  const { length } = value
  const strings = []
  for (let i = 0; i < length; i++) {
    const element = own(value, i)
    if (typeof element !== 'string') throw wrongType(`${field}[${i}]`, 'a string', element)
    strings.push(element)
  }
  return strings
}

function readString(value, field) {
  if (value !== undefined && typeof value !== 'string') throw wrongType(field, 'a string', value)
  return value
}

/** An option that is an object of options; undefined if it is not given. */
function readObject(value, field) {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(field, 'an object', value)
  return value
}

/** A process's logFile may be its path alone; a manager's has none, or all its processes would share one file. */
function readGroup(source, group, where, perProcess) {
  const value = own(source, group)
  if (perProcess && group === 'logFile' && typeof value === 'string') return undefined
  const holder = readObject(value, `${where}.${group}`)
  if (perProcess || group !== 'logFile' || holder === undefined) return holder
  const name = own(holder, 'path')
  if (name === undefined) return holder
  throw wrongType(`${where}.logFile.path`, 'left to each process', name)
}

/** As it is now: the host may go elsewhere while the file is rotated. The engine refuses an empty one. */
function absolute(name) {
  return name === '' ? name : path.resolve(name)
}

/** The absolute path of config.logFile; undefined if it is not given. */
function readLogFile(config) {
  const value = own(config, 'logFile')
  if (value === undefined) return undefined
  if (typeof value === 'string') return absolute(value)
  const name = own(readObject(value, 'config.logFile'), 'path')
  if (typeof name === 'string') return absolute(name)
  throw wrongType('config.logFile.path', 'a string', name)
}

/* Elsewhere an unknown name is ignored; here it would be a limit that does not hold. */
function refuseUnknownLimits(source, where) {
  const limits = readObject(own(source, 'limits'), `${where}.limits`) ?? {}
  const known = groups.get('limits').map(({ key }) => key)
  const unknown = Object.keys(limits).find((key) => !known.includes(key))
  if (unknown === undefined) return
  const message = `${where}.limits has no limit ${quote(unknown)}; there are ${known.join(', ')}`
  throw coded(TypeError, 'ERR_UNKNOWN_LIMIT', message)
}

/**
 * The values of the engine's options, one for each row of its table; undefined
 * if none is given.
 */
function readTable(source, where, perProcess) {
  refuseUnknownLimits(source, where)
  let values
  for (const [group, options] of groups) {
    const holder = group === '' ? source : readGroup(source, group, where, perProcess)
    if (holder === undefined) continue
    for (const option of options) {
      if (perProcess && !option.perProcess) continue
      const value = own(holder, option.key)
      if (value === undefined) continue
      if (typeof value !== option.type) throw wrongType(`${where}.${option.name}`, option.wanted, value)
      values ??= new Array(native.options.length).fill(undefined)
      values[option.index] = value
    }
  }
  return values
}

/** true, false, 'safe' or an array of names; undefined if it is not given. */
function readInherit(source, where) {
  const value = own(source, 'inheritEnv')
  if (value === undefined || typeof value === 'boolean' || value === 'safe') return value
  const field = `${where}.inheritEnv`
  if (!Array.isArray(value)) throw wrongType(field, "true, false, 'safe' or an array of names", value)
  return readStrings(value, field)
}

/**
 * The options of a manager.
 *
 * @param {unknown} options what the constructor was given
 */
function readOptions(options) {
  const source = options === undefined ? {} : options
  if (typeof source !== 'object' || source === null) throw wrongType('options', 'an object', options)
  return {
    values: readTable(source, 'options', false),
    allowedCommands: readStrings(own(source, 'allowedCommands'), 'options.allowedCommands'),
    inheritEnv: readInherit(source, 'options') ?? true,
    allowUnsafeEnv: readStrings(own(source, 'allowUnsafeEnv'), 'options.allowUnsafeEnv'),
  }
}

function readId(id) {
  if (id === undefined) return undefined
  if (typeof id !== 'string') throw wrongType('config.id', 'a string', id)
  if (id.length <= MAX_ID && id.isWellFormed()) return id
  const problem = id.length > MAX_ID ? `of at most ${MAX_ID} bytes` : 'without lone surrogates'
  throw coded(TypeError, 'ERR_INVALID_ID', `config.id must be a string ${problem}; got ${describe(id)}`)
}

function readCommand(command) {
  if (typeof command === 'string' && command !== '') return command
  throw coded(
    TypeError,
    'ERR_COMMAND_REQUIRED',
    `Command is required: config.command must be a non-empty string; got ${describe(command)}`,
  )
}

/** How messages name a variable. */
function envField(name) {
  return /^\w{1,60}$/.test(name) ? `config.env.${name}` : `config.env[${quote(name)}]`
}

/**
 * [name, value, …] of config.env, undefined values included: they take a
 * variable away. Messages name variables, never their values.
 */
function readEnv(env) {
  if (env === undefined) return undefined
  if (typeof env !== 'object' || env === null || Array.isArray(env) || isMap(env)) {
    throw wrongType('config.env', 'an object of strings', env)
  }
  const pairs = []
  for (const name of Object.keys(env)) {
    const value = env[name]
    if (value !== undefined && typeof value !== 'string') {
      const got = value === null ? 'null' : `a value of type ${typeof value}`
      throw coded(
        TypeError,
        'ERR_INVALID_ARG_TYPE',
        `${envField(name)} must be a string, or undefined to take it away; got ${got}`,
      )
    }
    pairs.push(name, value)
  }
  return pairs
}

/**
 * The arguments of the addon's `spawn`.
 *
 * @param {unknown} config what spawnProcess was given
 * @param {{ inheritEnv: unknown, allowUnsafeEnv: unknown }} defaults the manager's
 */
function readConfig(config, defaults) {
  if (typeof config !== 'object' || config === null) {
    throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', `Command is required: config must be an object; got ${describe(config)}`)
  }
  const command = readCommand(own(config, 'command'))
  const inherit = readInherit(config, 'config') ?? defaults.inheritEnv
  const allowUnsafe = readStrings(own(config, 'allowUnsafeEnv'), 'config.allowUnsafeEnv') ?? defaults.allowUnsafeEnv
  const args = readStrings(own(config, 'args'), 'config.args')
  const env = readEnv(own(config, 'env'))
  return {
    id: readId(own(config, 'id')),
    command,
    workingDir: readString(own(config, 'workingDir'), 'config.workingDir'),
    inherit,
    lists: [args, inherit === false ? undefined : readHostEnv(), env, allowUnsafe, readLogFile(config)],
    values: readTable(config, 'config', true),
  }
}

module.exports = { readOptions, readConfig }

'use strict'

// The wrapper, driven as a host in any language would, with all that passes checked
// against the protocol's schema.

const { spawn } = require('node:child_process')
const path = require('node:path')
const Ajv = require('ajv')
const { preload } = require('./manager')

const root = path.join(__dirname, '..', '..')
const schema = require('../../lib/wrapper/protocol.schema.json')
const ajv = new Ajv({ strict: true, strictNumbers: false, strictTypes: false, strictTuples: false, strictRequired: false, allErrors: true }).addSchema(schema)

/** Throws unless a message is what the schema has under definitions. */
function expectForm (definition, value) {
  const validate = ajv.getSchema(`${schema.$id}#/definitions/${definition}`)
  if (validate === undefined) throw new Error(`The schema has no ${definition}`)
  if (!validate(value)) {
    throw new Error(`This is no ${definition}: ${JSON.stringify(value).slice(0, 500)}\n${ajv.errorsText(validate.errors)}`)
  }
}

/** Checks a conversation: { to } and { from } are lines, in their order. isFaulty: what goes to the wrapper need not be right. */
function checkTraffic (lines, isFaulty = false) {
  const methods = new Map()
  for (const { to, from } of lines) {
    const message = JSON.parse(to ?? from)
    if (to !== undefined) {
      if (!isFaulty) expectForm('toWrapper', message)
      if (message.id !== undefined) methods.set(message.id, message.method)
      continue
    }
    expectForm('fromWrapper', message)
    if (!('result' in message)) continue
    const method = methods.get(message.id)
    if (method in schema.definitions.results) expectForm(`results/${method}`, message.result)
  }
}

const started = new Set()

class Wrapper {
  #pending = new Map()
  #id = 0
  #rest = ''
  traffic = []
  notices = []
  #waiting = []

  /** nodeArgs go before the program; env is beside the test's own; isFaulty: see checkTraffic. */
  constructor ({ nodeArgs = [], env = {}, isFaulty = false } = {}) {
    this.isFaulty = isFaulty
    this.child = spawn(process.execPath, [...nodeArgs, path.join(root, 'lib', 'process-manager-wrapper.js')], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...(preload && { LD_PRELOAD: preload }), ...env }
    })
    started.add(this)
    this.said = ''
    for (const stream of [this.child.stdout, this.child.stderr]) stream.setEncoding('utf8').on('data', text => { this.said += text })
    this.input = this.child.stdio[3]
    this.output = this.child.stdio[4]
    this.input.on('error', () => {})
    this.output.setEncoding('utf8').on('data', text => this.#take(text))
    this.ended = new Promise(resolve => this.child.on('close', (code, signal) => {
      for (const { reject } of this.#pending.values()) reject(new Error(`The wrapper ended: ${signal ?? code}\n${this.said}`))
      resolve({ code, signal })
    }))
  }

  #take (text) {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()
    for (const line of lines) {
      this.traffic.push({ from: line })
      const message = JSON.parse(line)
      const pending = this.#pending.get(message.id)
      this.#pending.delete(message.id)
      if (pending) pending.resolve(message)
      else this.notices.push(message)
    }
    this.#waiting = this.#waiting.filter(look => !look())
  }

  /** Writes text as it is. */
  write (text) {
    this.input.write(text)
  }

  notify (method, ...params) {
    const line = JSON.stringify({ jsonrpc: '2.0', method, params })
    this.traffic.push({ to: line })
    this.write(`${line}\n`)
  }

  /** The answer to a request, with its result or error. */
  request (method, ...params) {
    return this.send({ jsonrpc: '2.0', id: ++this.#id, method, params })
  }

  send (message) {
    const line = JSON.stringify(message)
    this.traffic.push({ to: line })
    this.write(`${line}\n`)
    return new Promise((resolve, reject) => this.#pending.set(message.id, { resolve, reject }))
  }

  async call (method, ...params) {
    const { result, error } = await this.request(method, ...params)
    if (error) throw new Error(JSON.stringify(error))
    return result
  }

  initialize (options, more) {
    return this.call('initialize', { protocol: 1, hostPid: process.pid, options, ...more })
  }

  /** The first of what came unasked for which the condition holds. */
  notice (condition) {
    return new Promise(resolve => {
      const look = () => {
        const found = this.notices.find(condition)
        if (found) resolve(found)
        return found !== undefined
      }
      if (!look()) this.#waiting.push(look)
    })
  }

  /** The payload of an event. */
  async event (name, condition = () => true) {
    const { params } = await this.notice(({ method, params }) => method === 'event' && params[0] === name && condition(params[1]))
    return params[1]
  }

  async close () {
    this.input.end()
    return this.ended
  }
}

afterEach(async () => {
  for (const wrapper of started) {
    await wrapper.close()
    started.delete(wrapper)
    checkTraffic(wrapper.traffic, wrapper.isFaulty)
  }
})

module.exports = { Wrapper, schema, expectForm, checkTraffic }

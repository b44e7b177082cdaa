'use strict'

/* Checks the arguments of methods, and brings them into the addon's form. */

const { coded, outOfRange, unknownSignal, wrongType } = require('./errors')

/** The most UTF-16 units that an id of at most 256 bytes can have. */
const MAX_ID = 256

/** The own property of source, else undefined: what a prototype lends does not count. */
function own(source, name) {
  return Object.hasOwn(source, name) ? source[name] : undefined
}

/** An id to look up: the empty string, which is none, for all that cannot be one. */
function lookup(id) {
  return typeof id === 'string' && id.length <= MAX_ID && id.isWellFormed() ? id : ''
}

/** A time to wait, as stopProcess takes it; -1: the process's own stopTimeout. */
function readTimeout(timeout) {
  if (timeout === undefined) return -1
  if (typeof timeout !== 'number') throw wrongType('timeout', 'a number of milliseconds', timeout)
  if (!(timeout >= 0)) throw outOfRange('timeout', 'at least 0', timeout)
  return timeout
}

/** How many lines. */
function readCount(lines, field = 'lines') {
  if (typeof lines !== 'number') throw wrongType(field, 'an integer', lines)
  if (lines >= 0 && (Number.isInteger(lines) || lines === Infinity)) return lines
  throw outOfRange(field, 'an integer of at least 0, or Infinity', lines)
}

/** What is written to stdin: a string or a Uint8Array. */
function readData(data) {
  if (typeof data === 'string' || data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  throw wrongType('data', 'a string, a Buffer or a typed array', data)
}

/* A cycle, a BigInt, or a toJSON that throws. */
function toJson(message) {
  try {
    return JSON.stringify(message)
  } catch (cause) {
    const error = coded(TypeError, 'ERR_INVALID_MESSAGE', `message has no form in JSON: ${cause?.message ?? 'it threw'}`)
    error.cause = cause
    throw error
  }
}

/** What is sent as a message: a line, as text or as its bytes; else what JSON makes of it. */
function readMessage(message) {
  if (typeof message === 'string' || ArrayBuffer.isView(message)) return readData(message)
  const text = toJson(message)
  if (text === undefined) throw wrongType('message', 'a string, or a value that JSON can say', message)
  return text
}

/** A signal's name, which the engine knows, or its number. */
function readSignal(signal) {
  if (typeof signal !== 'string' && typeof signal !== 'number') {
    throw wrongType('signal', 'the name or the number of a signal', signal)
  }
  if (typeof signal === 'number' && !Number.isInteger(signal)) throw unknownSignal(signal)
  return signal
}

/** Whether the options of signalProcess ask for the whole tree. */
function readTree(options) {
  if (options === undefined) return false
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object', options)
  const tree = own(options, 'tree')
  if (tree !== undefined && typeof tree !== 'boolean') throw wrongType('options.tree', 'true or false', tree)
  return tree === true
}

/** Whether the options of getProcessMetrics ask for PSS. */
function readPss(options) {
  if (options === undefined) return false
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object', options)
  const pss = own(options, 'pss')
  if (pss !== undefined && typeof pss !== 'boolean') throw wrongType('options.pss', 'true or false', pss)
  return pss === true
}

module.exports = { MAX_ID, lookup, own, readCount, readData, readMessage, readPss, readSignal, readTimeout, readTree }

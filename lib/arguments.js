'use strict'

/* Checks the arguments of methods, and brings them into the addon's form. */

const { outOfRange, wrongType } = require('./errors')

/** The most UTF-16 units that an id of at most 256 bytes can have. */
const MAX_ID = 256

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
function readCount(lines) {
  if (typeof lines !== 'number') throw wrongType('lines', 'an integer', lines)
  if (lines >= 0 && (Number.isInteger(lines) || lines === Infinity)) return lines
  throw outOfRange('lines', 'an integer of at least 0, or Infinity', lines)
}

/** What is written to stdin: a string or a Uint8Array. */
function readData(data) {
  if (typeof data === 'string' || data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  throw wrongType('data', 'a string, a Buffer or a typed array', data)
}

module.exports = { MAX_ID, lookup, readCount, readData, readTimeout }

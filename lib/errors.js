'use strict'

/* Errors are made here and not in the addon, so that they belong to the realm of
 * whoever required this file: under Jest that is a vm context, where an error of
 * the addon's would be no `instanceof Error`. */

const classes = { __proto__: null, TypeError, RangeError, Error }

/**
 * Makes the error that the engine describes.
 *
 * @param {'TypeError' | 'RangeError' | 'Error'} kind
 * @param {string} code what callers match on: an errno's name, or ERR_…
 * @param {string} message
 * @param {number} errno negative; only set on errors of the system
 * @param {string | null} syscall
 * @param {string | null} path
 */
function fromEngine(kind, code, message, errno, syscall, path) {
  const error = new classes[kind](message)
  error.code = code
  if (!code.startsWith('ERR_')) error.errno = errno
  if (syscall !== null) error.syscall = syscall
  if (path !== null) error.path = path
  Error.captureStackTrace(error, fromEngine)
  return error
}

/** A text for a message, cut if it is long. */
function quote(text) {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

/** Says what a value is without running any code of its own. */
function describe(value) {
  switch (typeof value) {
    case 'string':
      return `${quote(value)} (string)`
    case 'number':
    case 'boolean':
      return `${value} (${typeof value})`
    case 'undefined':
      return 'undefined'
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? 'an array' : 'an object'
    default:
      return `a ${typeof value}`
  }
}

/**
 * @param {string} field as the caller knows it: `config.args[1]`
 * @param {string} wanted
 * @param {unknown} value
 */
function wrongType(field, wanted, value) {
  const error = new TypeError(`${field} must be ${wanted}; got ${describe(value)}`)
  error.code = 'ERR_INVALID_ARG_TYPE'
  return error
}

/** Like wrongType, for a number outside of what is wanted. */
function outOfRange(field, wanted, value) {
  const error = new RangeError(`${field} must be ${wanted}; got ${value}`)
  error.code = 'ERR_OUT_OF_RANGE'
  return error
}

/** An error with a code, of any class. */
function coded(Class, code, message) {
  const error = new Class(message)
  error.code = code
  return error
}

/** For methods that cannot answer for an id that the manager does not know. */
function unknownProcess(id) {
  return coded(Error, 'ERR_UNKNOWN_PROCESS', `There is no process with the id ${describe(id)}`)
}

/** For what is neither the name nor the number of a signal. */
function unknownSignal(signal) {
  return coded(TypeError, 'ERR_UNKNOWN_SIGNAL', `signal must be the name or the number of a signal; got ${describe(signal)}`)
}

module.exports = { fromEngine, describe, quote, wrongType, outOfRange, coded, unknownProcess, unknownSignal }

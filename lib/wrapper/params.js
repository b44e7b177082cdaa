'use strict'

/* JSON knows no undefined: null is not given. */

const { ProtocolError } = require('./replies')
const { describe } = require('../errors')

/**
 * Takes null for undefined, in an object and the objects in it; not in arrays,
 * whose elements are all given.
 */
function withoutNulls(value) {
  if (value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) return value
  for (const key of Object.keys(value)) value[key] = withoutNulls(value[key])
  return value
}

/** The arguments of a call, by their places. */
function readArguments(params = []) {
  if (Array.isArray(params)) return params
  throw new ProtocolError('invalidParams', 'ERR_INVALID_PARAMS', `params must be an array; got ${describe(params)}`)
}

function readObject(value, field) {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return withoutNulls(value)
  throw new ProtocolError('invalidParams', 'ERR_INVALID_PARAMS', `${field} must be an object; got ${describe(value)}`)
}

module.exports = { withoutNulls, readArguments, readObject }

'use strict'

/* The forms of JSON-RPC 2.0. */

const codes = {
  __proto__: null,
  parse: -32700,
  invalidRequest: -32600,
  noSuchMethod: -32601,
  invalidParams: -32602,
  other: -32000,
  unknownProcess: -32001,
  unavailable: -32002,
}

/* Of the manager's own errors. */
function codeOf({ name, code }) {
  if (code === 'ERR_UNKNOWN_PROCESS') return codes.unknownProcess
  if (code === 'ERR_ADDON_NOT_BUILT' || code === 'ERR_LIBUV_MISMATCH') return codes.unavailable
  return name === 'TypeError' || name === 'RangeError' ? codes.invalidParams : codes.other
}

/** An error of the protocol itself. */
class ProtocolError extends Error {
  /** @param {keyof typeof codes} kind */
  constructor(kind, code, message, more) {
    super(message)
    this.rpcCode = codes[kind]
    this.code = code
    this.more = more
  }
}

function resultText(id, result) {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(result) ?? 'null'}}`
}

/** @param {unknown} thrown usually an Error */
function errorText(id, thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const { name, message, code, errno, syscall, path, rpcCode = codeOf(error), more } = error
  const data = { code, name, errno, syscall, path, ...more }
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: rpcCode, message, data } })
}

function noticeText(method, params) {
  return `{"jsonrpc":"2.0","method":"${method}","params":${JSON.stringify(params)}}`
}

module.exports = { ProtocolError, resultText, errorText, noticeText }

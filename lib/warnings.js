'use strict'

/* Warnings of the process, for what nobody listens to. */

/* As the exit guard's: all copies of this file that one process loads share what
 * it holds, so that none of them says again what another has said. */
const key = Symbol.for('mcp-process-manager.warned.1')

if (!Object.hasOwn(process, key)) Object.defineProperty(process, key, { value: new Set() })
const said = process[key]

/** The detail is printed below the message. */
function warn(message, code, detail) {
  process.emitWarning(message, { type: 'ProcessManagerWarning', code, detail })
}

/**
 * Warns of something that concerns every manager, the first time only.
 *
 * @param {Error & { code: string, path?: string }} error
 */
function warnOnce({ code, message, path }) {
  if (said.has(code)) return
  said.add(code)
  warn(message, code, path)
}

module.exports = { warn, warnOnce }

'use strict'

const ProcessManager = require('../process-manager')
const { enterDirectory, setHost } = require('./host')
const { withoutNulls } = require('./params')
const { ProtocolError } = require('./replies')
const { describe } = require('../errors')

/* What has another form here, or no meaning for a host elsewhere. */
const withheld = ['constructor', 'followLogs', 'ref', 'unref']

/* Every method of the class, those that it will be given as well. */
const names = Object.entries(Object.getOwnPropertyDescriptors(ProcessManager.prototype))
  .filter(([name, { value }]) => typeof value === 'function' && !withheld.includes(name))
  .map(([name]) => name)

/** Text, or bytes in base64: JSON has no form for them. */
function readBytes(data, encoding = 'utf8') {
  if (encoding === 'utf8') return data
  if (encoding === 'base64' && typeof data === 'string') return Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0))
  const message = `encoding must be 'utf8' or 'base64', of a string; got ${describe(encoding)}`
  throw new ProtocolError('invalidParams', 'ERR_INVALID_PARAMS', message)
}

/**
 * The methods that a host can call, by name.
 *
 * @param {import('../process-manager')} manager
 * @param {object} parts events, cursors
 */
function makeMethods(manager, { events, cursors }) {
  const methods = { __proto__: null }
  for (const name of names) methods[name] = (...args) => manager[name](...args.map(withoutNulls))
  for (const name of ['spawnProcess', 'restartProcess']) {
    const start = methods[name]
    methods[name] = (...args) => {
      enterDirectory()
      return start(...args)
    }
  }
  return Object.assign(methods, {
    /* Null is a message like any other, and may be in one. */
    sendMessage: (id, message, encoding) => manager.sendMessage(id, readBytes(message, encoding ?? undefined)),
    writeStdin: (id, data, encoding) => manager.writeStdin(id, readBytes(data, encoding ?? undefined)),
    pauseOutput: (id) => events.pause(id),
    followLogs: (id, options) => cursors.open(id, withoutNulls(options)),
    nextRecords: (cursor) => cursors.next(cursor),
    endFollow: (cursor) => cursors.close(cursor),
    subscribe: (...wanted) => events.subscribe(wanted),
    unsubscribe: (...unwanted) => events.unsubscribe(unwanted),
    handled: (bytes) => events.handled(bytes),
    setHost,
  })
}

module.exports = makeMethods

'use strict'

/* What the addon reports, made into events. Listeners run in here. */

const { errorMonitor } = require('node:events')
const { emitLines, emitMessages, emitStrays } = require('./batches')
const exitGuard = require('./exit-guard')
const payloads = require('./events')
const { warn, warnOnce } = require('./warnings')

const streams = ['stdout', 'stderr']

/* An EventEmitter throws when nobody listens to 'error'. A server that is not
 * there must not take its host down. */
function emitError(emitter, payload) {
  if (emitter.listenerCount('error') > 0) {
    emitter.emit('error', payload)
    return
  }
  if (emitter.listenerCount(errorMonitor) > 0) emitter.emit(errorMonitor, payload)
  const { code, message } = payload.error
  warn(`${payload.processId}: ${message}`, code)
}

/** By kind, what is done with it that is no event with a payload of its own. */
const special = {
  __proto__: null,
  output: ({ emitter }, id, stream, data) => emitter.emit(streams[stream], { processId: id, data }),
  lines: ({ emitter, native: { ends } }, id, stream, batch, known) =>
    emitLines(emitter, id, streams[stream], { batch, known, ends }),
  messages: ({ emitter, native: { ends } }, id, isParsed, batch, known) =>
    emitMessages(emitter, id, isParsed, { batch, known, ends }),
  strays: ({ emitter, native: { ends } }, id, batch, known) => emitStrays(emitter, id, { batch, known, ends }),
  error: ({ emitter }, ...values) => emitError(emitter, payloads.error(...values)),
  warning: (owner, id, error) => warnOnce(error),
  logged: ({ logWaits }, id) => logWaits.tell(id),
  metrics: ({ emitter, native }, ...values) => emitter.emit('metrics', payloads.metrics(...values, native)),
  active: ({ native }, id, active) => (active ? exitGuard.guard : exitGuard.release)(native),
}

/**
 * @param {{ emitter: import('node:events').EventEmitter, logWaits: object, native: object }} owner
 * @param {string} kind
 * @param {unknown[]} values as the addon's callback is given them
 */
function receive(owner, kind, values) {
  if (kind in special) special[kind](owner, ...values)
  else owner.emitter.emit(kind, payloads[kind](...values))
}

module.exports = receive

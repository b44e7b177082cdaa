'use strict'

/**
 * The payload of the next event for which `matches` is true. Ask before doing
 * what causes the event, or it may be over already.
 *
 * @param {import('node:events').EventEmitter} emitter
 * @param {string} event
 * @param {(payload: any) => boolean} matches
 * @param {AbortSignal} signal rejects with its reason when it comes first
 */
function nextEvent (emitter, event, matches, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      emitter.off(event, onEvent)
      signal.removeEventListener('abort', onAbort)
    }
    const onAbort = () => {
      stop()
      reject(new Error(`Waited in vain for '${event}'`, { cause: signal.reason }))
    }
    const onEvent = payload => {
      if (!matches(payload)) return
      stop()
      resolve(payload)
    }
    if (signal.aborted) return onAbort()
    emitter.on(event, onEvent)
    signal.addEventListener('abort', onAbort)
  })
}

module.exports = { nextEvent }

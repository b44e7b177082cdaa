'use strict'

const { makeMetricsEvent } = require('./metrics-event')

/* Nothing is passed when nobody knows. */
function readUsage([userCPUTime, systemCPUTime, maxRSS]) {
  return userCPUTime === undefined ? null : { userCPUTime, systemCPUTime, maxRSS }
}

/**
 * The payloads of events, by name, from what the addon's callback is given
 * behind the kind.
 */
module.exports = {
  __proto__: null,
  spawn: (processId, pid, restarts) => ({ processId, pid, restarts }),
  exit: (processId, code, signal, pid, uptime, restarts, unsent, requested, limit, ...usage) => ({
    processId,
    code,
    signal,
    pid,
    uptime,
    restarts,
    unsent,
    requested,
    limit,
    resourceUsage: readUsage(usage),
  }),
  error: (processId, error) => ({ processId, error }),
  restart: (processId, pid, restarts) => ({ processId, restarts, pid }),
  backoff: (processId, delay, restarts) => ({ processId, delay, restarts }),
  queued: (processId, position, restarts) => ({ processId, position, restarts }),
  stop: (processId, code, signal, stopped, step, duration, survivors, killed, left) => ({
    processId,
    stopped,
    step,
    code,
    signal,
    duration,
    killed,
    left,
    survivors: [...survivors],
  }),
  /* Of which a manager, the addon's, makes what is looked at. */
  metrics: (none, snapshot, time, manager) => makeMetricsEvent(time, manager, snapshot),
  drain: (processId) => ({ processId }),
  limit: (processId, limit, value, seen, action) =>
    processId === undefined ? { limit, value, seen, action } : { processId, limit, value, seen, action },
}

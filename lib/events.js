'use strict'

const { readAllFigures } = require('./figures')

/**
 * The payloads of events, by name, from what the addon's callback is given
 * behind the kind.
 */
module.exports = {
  __proto__: null,
  spawn: (processId, pid, restarts) => ({ processId, pid, restarts }),
  exit: (processId, code, signal, pid, uptime, restarts, unsent, requested, userCPUTime, systemCPUTime, maxRSS) => ({
    processId,
    code,
    signal,
    pid,
    uptime,
    restarts,
    unsent,
    requested,
    /* Nothing is passed when nobody knows. */
    resourceUsage: userCPUTime === undefined ? null : { userCPUTime, systemCPUTime, maxRSS },
  }),
  error: (processId, error) => ({ processId, error }),
  restart: (processId, pid, restarts) => ({ processId, restarts, pid }),
  backoff: (processId, delay, restarts) => ({ processId, delay, restarts }),
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
  metrics: (none, ids, buffer, time) => ({ time, processes: readAllFigures(ids, buffer) }),
  drain: (processId) => ({ processId }),
  limit: (processId, limit, value) => (processId === undefined ? { limit, value } : { processId, limit, value }),
}

'use strict'

/* What this program has of its host, so that a child is started as if the host had started it. */

const native = require('../native')
const { describe, outOfRange } = require('../errors')
const { readObject } = require('./params')

/**
 * Takes over what has changed in the host.
 *
 * @param {{ env?: { [name: string]: string | null }, cwd?: string }} changes env: null takes a variable away
 */
function setHost(changes) {
  const { env = {}, cwd } = readObject(changes, 'params[0]')
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  if (cwd !== undefined) process.chdir(cwd)
  return null
}

/**
 * Ends this program when the host has gone, although a copy of it that was forked may
 * hold its pipes open.
 *
 * @param {unknown} pid
 * @param {() => void} leave for a host that has gone already
 */
function watchHost(pid, leave) {
  if (!Number.isInteger(pid) || pid <= 0) throw outOfRange('hostPid', 'the pid of a process', describe(pid))
  if (!native.endWithHost(pid)) leave()
}

module.exports = { setHost, watchHost }

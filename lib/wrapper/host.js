'use strict'

/* What this program has of its host, so that a child is started as if the host had started it. */

const native = require('../native')
const { describe, outOfRange } = require('../errors')
const { readObject } = require('./params')
const { ProtocolError } = require('./replies')

/* Where the host is, but this program could not go. */
let wanted

/** Goes where the host is. Before a command is started: it must not start elsewhere. */
function enterDirectory() {
  if (wanted === undefined) return
  try {
    process.chdir(wanted)
  } catch ({ code, errno, syscall }) {
    const message = `The working directory ${JSON.stringify(wanted)} cannot be entered (${code})`
    throw new ProtocolError('other', 'ERR_WORKING_DIRECTORY', message, { errno, syscall, path: wanted })
  }
  wanted = undefined
}

/**
 * Takes over what has changed in the host. A directory that cannot be entered is an error
 * here, and of what starts a command, until it can be or there is another.
 *
 * @param {{ env?: { [name: string]: string | null }, cwd?: string }} changes env: null takes a variable away
 */
function setHost(changes) {
  const { env = {}, cwd } = readObject(changes, 'params[0]')
  if (cwd !== undefined && typeof cwd !== 'string') {
    throw new ProtocolError('invalidParams', 'ERR_INVALID_PARAMS', `cwd must be a string; got ${describe(cwd)}`)
  }
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  if (cwd !== undefined) wanted = cwd
  enterDirectory()
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

module.exports = { enterDirectory, setHost, watchHost }

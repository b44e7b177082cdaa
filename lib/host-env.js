'use strict'

/* The host's environment, as a child inherits it. */

const { isMainThread } = require('node:worker_threads')

let looked
let isSystems

/* Node's own process.env refuses accessors; an object that somebody put in its
 * place (a test runner's sandbox does) takes the property, and loses it again. */
function refusesAccessors(env) {
  const probe = Symbol('probe')
  const name = `mcp-process-manager.${probe.toString()}`
  try {
    Object.defineProperty(env, name, { get: () => undefined, enumerable: false, configurable: true })
  } catch {
    return true
  }
  delete env[name]
  return false
}

/* Whether env is the environment of the operating system's process, and not a
 * copy of a worker's or a sandbox's own. */
function isSystemEnv(env) {
  if (env !== looked) {
    isSystems = isMainThread && !Object.isFrozen(env) && refusesAccessors(env)
    looked = env
  }
  return isSystems
}

/* One text "name\0value\0…": each string that crosses into the addon costs as
 * much as a short text of all of them. What holds a NUL byte is no variable. */
function joined(env) {
  const parts = []
  for (const name of Object.keys(env)) {
    const value = String(env[name])
    if (!value.includes('\0') && !name.includes('\0')) parts.push(name, value)
  }
  return parts.join('\0')
}

/**
 * What the addon is told: true, and it reads the system's environment by itself
 * (to ask process.env for each variable takes longer than the rest of a spawn's
 * JavaScript), or the variables of a process.env that is not the system's.
 */
function readHostEnv() {
  const { env } = process
  return isSystemEnv(env) || joined(env)
}

module.exports = { readHostEnv }

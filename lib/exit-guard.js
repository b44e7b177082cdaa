'use strict'

/* The hook by which the addon ends its processes with its environment does not
 * run on process.exit(), nor after an uncaught exception, in the main thread.
 * Node's 'exit' event does, so a manager does from there what has to be done
 * before the host is gone: it kills groups that no keeper looks after, and
 * removes private working directories. A keeper ends its tree by itself. */

/* This file may be loaded many times in one process (test runners, bundles), and
 * Node warns of a leak at the eleventh listener: all copies share one. */
const key = Symbol.for('mcp-process-manager.exit-guard.1')

function makeShared() {
  const managers = new Set()
  const killAll = () => {
    for (const manager of managers) manager.killAll()
  }
  return { managers, killAll }
}

if (!Object.hasOwn(process, key)) Object.defineProperty(process, key, { value: makeShared() })
const { managers, killAll } = process[key]

/** From now on `manager.killAll()` is called when the process or thread exits. */
function guard(manager) {
  if (managers.size === 0) process.on('exit', killAll)
  managers.add(manager)
}

/** Not any more. Without anything to guard there is no listener either. */
function release(manager) {
  if (managers.delete(manager) && managers.size === 0) process.off('exit', killAll)
}

module.exports = { guard, release }

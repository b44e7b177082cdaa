'use strict'

/* The hook by which the addon ends its processes with its environment does not
 * run on process.exit(), nor after an uncaught exception, in the main thread.
 * Node's 'exit' event does, so everything alive is killed from there. */

const guarded = new Set()

function killAll() {
  for (const manager of guarded) manager.killAll()
}

/** From now on `manager.killAll()` is called when the process or thread exits. */
function guard(manager) {
  if (guarded.size === 0) process.on('exit', killAll)
  guarded.add(manager)
}

/** Not any more. Without anything to guard there is no listener either. */
function release(manager) {
  if (guarded.delete(manager) && guarded.size === 0) process.off('exit', killAll)
}

module.exports = { guard, release }

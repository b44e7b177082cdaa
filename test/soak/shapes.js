'use strict'

// What the commands of a soak are.

/*
 * own: the codes with which it ends by itself. term: the codes with which it ends by
 * SIGTERM; that before it was ready for it, or has no mind for it, it ends by the
 * signal. eof: the code with which it ends when stdin does. size: 'one' process,
 * 'session' for several that stay in the session, 'any' if some leave it.
 */
const shapes = {
  ready: { line: ['say-ready'], size: 'one' },
  ignore: { line: ['ignore-term'], size: 'one' },
  slow: { line: ['slow-term', '20'], size: 'one', term: [0] },
  eof: { line: ['exit-on-eof'], size: 'one', eof: 0 },
  ends: { line: ['exit-with', '0', '30'], size: 'one', own: [0] },
  fails: { line: ['exit-with', '7', '50'], size: 'one', own: [7] },
  quick: { line: ['exit-with', '3'], size: 'one', own: [3] },
  missing: { line: ['no-such-program'], size: 'one', missing: true },
  child: { line: ['spawn-grandchild', 'stay'], size: 'session' },
  stubborn: { line: ['spawn-grandchild', 'ignore-term'], size: 'session' },
  flood: { line: ['spawn-grandchild', 'hold-ignore'], size: 'session' },
  leaves: { line: ['spawn-grandchild', 'ignore-term', '5'], size: 'session', own: [5] },
  chain: { line: ['tree', 'chain'], size: 'session' },
  stopped: { line: ['tree', 'stopped'], size: 'session' },
  setsid: { line: ['tree', 'setsid'], size: 'any' },
  daemon: { line: ['tree', 'daemon'], size: 'any' },
  leavesDaemon: { line: ['tree', 'leave-daemon'], size: 'any', own: [0] },
  chainSetsid: { line: ['tree', 'chain-setsid'], size: 'any' },
  many: { line: ['tree', 'many'], size: 'any' }
}

const sizes = { one: ['one'], session: ['one', 'session'], any: ['one', 'session', 'any'] }

/** The names of those that are at most so large. */
function shapesUpTo (size) {
  return Object.keys(shapes).filter(name => sizes[size].includes(shapes[name].size))
}

/*
 * Whom the driver may kill decides what can be promised of a host's trees under
 * 'tree': without its keeper only a session can be found, and only by a living host.
 */
const modes = {
  hosts: { tree: 'any', keepers: false },
  keepers: { tree: 'session', keepers: true },
  both: { tree: 'one', keepers: true }
}

module.exports = { shapes, shapesUpTo, modes }

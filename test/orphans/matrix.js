'use strict'

// What the tree of a command can be, and how its host can end.

/*
 * size: how many processes the tree has once it stands, the command included.
 * isSteady: so many are there from ready to the end; isChain: one of them is always another.
 * endsItself: when its host dies, the command ends without anybody's help.
 * isDeep: there is more than the command, so that ending that does not suffice.
 * outlivesTerm: SIGTERM does not end it.
 */
const rows = [
  { name: 'plain', size: 1, isSteady: true },
  { name: 'exits on EOF', shape: 'eof', size: 1, isSteady: true, endsItself: true },
  { name: 'ignores SIGTERM', shape: 'ignore-term', size: 1, isSteady: true, outlivesTerm: true },
  { name: 'sh -c "x & wait"', command: ({ tree }) => ['sh', '-c', '"$0" plain & wait', tree], size: 2, isSteady: true, isDeep: true },
  { name: 'npm exec', command: () => ['npm', 'exec', '--offline', '--', 'orphan-server'], size: 3, isSteady: true, isDeep: true },
  { name: 'grandchild with setsid', shape: 'setsid', size: 2, isSteady: true, isDeep: true },
  { name: 'daemon', size: 2, isSteady: true, isDeep: true },
  { name: 'exits, leaves a daemon', shape: 'leave-daemon', size: 1, isDeep: true },
  { name: 'chain of forks', shape: 'chain', size: 2, isChain: true, isDeep: true },
  { name: 'chain with setsid', shape: 'chain-setsid', size: 2, isChain: true, isDeep: true },
  { name: 'stopped', size: 1 },
  { name: 'many (50 descendants)', shape: 'many', size: 51, isSteady: true, isDeep: true }
]

/*
 * order: what the host is told. signal: what it gets, once it has done that.
 * staysUp: the host lives on, and must not be what ends the tree.
 */
const ends = [
  { name: 'stop', order: 'stop', staysUp: true },
  { name: 'process.exit', order: 'exit' },
  { name: 'exception', order: 'throw' },
  { name: 'SIGTERM', signal: 'SIGTERM' },
  { name: 'SIGINT', signal: 'SIGINT' },
  { name: 'SIGKILL', signal: 'SIGKILL' },
  { name: 'SIGKILL when blocked', order: 'block', signal: 'SIGKILL' },
  { name: 'worker terminated', order: 'terminate', inWorker: true, staysUp: true }
]

/** The command line of a row; place is what prepare() made. */
function commandOf ({ name, shape = name, command = ({ tree }) => [tree, shape] }, place) {
  const [file, ...args] = command(place)
  return { command: file, args }
}

/** The rows or ends of these names, in their order. */
function named (list, names) {
  const unknown = names.find(name => !list.some(entry => entry.name === name))
  if (unknown !== undefined) throw new Error(`${unknown} is none of: ${list.map(({ name }) => name).join('; ')}`)
  return list.filter(({ name }) => names.includes(name))
}

/** Every row with every end, costly rows far from each other. */
function cells (someRows = rows, someEnds = ends) {
  return someEnds.flatMap(end => someRows.map(row => ({ row, end })))
}

/** Runs job for each of the list, so many at a time; answers what they gave, in order. */
async function inParallel (list, most, job) {
  const results = []
  let next = 0
  const work = async () => {
    while (next < list.length) {
      const i = next++
      results[i] = await job(list[i])
    }
  }
  await Promise.all(Array.from({ length: most }, work))
  return results
}

module.exports = { rows, ends, commandOf, named, cells, inParallel }

'use strict'

const { NODE, OURS, CLONE, names, library, limit } = require('./lib/contenders')
const { memory, spawns, warmup, pass, memoryName } = require('./lib/profile')
const { program } = require('./lib/programs')

const sizes = Object.keys(memory)

function trialsAt(size) {
  const at = memoryName(memory[size])
  const counts = { warmup: warmup[size], spawns: spawns[size] }
  const inC = [memory[size], counts.warmup, counts.spawns, program('exit-now')]
  return [
    ...names.map((name) => library(name, 'spawn', at, { mebibytes: memory[size], ...counts })),
    limit(CLONE, at, 'limit-spawn', 'clone', ...inC),
    limit('C posix_spawn', at, 'limit-spawn', 'posix_spawn', ...inC)
  ]
}

module.exports = {
  title: 'Spawn: how long one call blocks the event loop',
  lines: [
    ...sizes.map((size) => {
      const at = memoryName(memory[size])
      return { text: `host of ${at}, us`, at, metric: 'block' }
    }),
    { text: `write pass over ${memoryName(pass.mebibytes)}, ms`, at: 'write pass', metric: 'plain' },
    { text: 'the same right after a spawn, ms', at: 'write pass', metric: 'after' }
  ],
  trials: [
    ...sizes.flatMap(trialsAt),
    ...[OURS, NODE].map((name) => library(name, 'write-pass', 'write pass', pass))
  ]
}

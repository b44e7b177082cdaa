'use strict'

const { CLONE, names, library, limit } = require('./lib/contenders')
const { memory, spawns, warmup, memoryName } = require('./lib/profile')
const { program } = require('./lib/programs')

const sizes = ['small', 'medium']

function trialsAt(size) {
  const at = memoryName(memory[size])
  const counts = { warmup: warmup[size], spawns: spawns[size] }
  const inC = [memory[size], counts.warmup, counts.spawns, program('exit-now')]
  return [
    ...names.map((name) => library(name, 'spawn', at, { mebibytes: memory[size], ...counts })),
    limit(CLONE, at, 'limit-spawn', 'clone', ...inC)
  ]
}

module.exports = {
  title: 'Spawn to the exit event',
  lines: sizes.map((size) => {
    const at = memoryName(memory[size])
    return { text: `host of ${at}, us`, at, metric: 'exit' }
  }),
  trials: sizes.flatMap(trialsAt)
}

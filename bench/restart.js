'use strict'

const { NODE, OURS, CLONE, library, limit } = require('./lib/contenders')
const { memory, runs, memoryName } = require('./lib/profile')
const { program } = require('./lib/programs')

const at = memoryName(memory.small)

module.exports = {
  title: 'Crash to running again, no delay',
  lines: [{ text: `host of ${at}, us`, at, metric: 'restart' }],
  trials: [
    ...[OURS, NODE].map((name) => library(name, 'restart', at, { mebibytes: memory.small, runs })),
    limit(CLONE, at, 'limit-restart', memory.small, runs, program('crash'))
  ]
}

'use strict'

const { NODE, OURS, GROUP, CLONE, library, limit } = require('./lib/contenders')
const { memory, runs, memoryName } = require('./lib/profile')
const { program } = require('./lib/programs')

const at = memoryName(memory.small)

module.exports = {
  title: 'Crash to running again, no delay',
  lines: [{ text: `host of ${at}, us`, at, metric: 'restart' }],
  trials: [
    ...[OURS, GROUP, NODE].map((name) => library(name, 'restart', at, { mebibytes: memory.small, runs })),
    limit(CLONE, at, 'limit-restart', memory.small, runs, program('crash'))
  ]
}

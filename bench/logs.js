'use strict'

const { OURS, NODE, library } = require('./lib/contenders')
const { logs } = require('./lib/profile')
const { KEPT } = require('./lib/sinks')

const at = 'logs'
const [few, many] = [KEPT / 10, KEPT]
const aims = { few: 30, many: 300 } // us

module.exports = {
  title: `The last lines of 2 x ${KEPT} that are kept, 80 bytes each`,
  lines: [
    { text: `the last ${few} of both streams, us`, at, metric: 'few' },
    { text: `the last ${many} of both streams, us`, at, metric: 'many' }
  ],
  trials: [OURS, NODE].map((name) => library(name, 'logs', at, { few, many, calls: logs.calls })),
  show: () => `Aims: ${aims.few} us for ${few}, ${aims.many} us for ${many}`
}

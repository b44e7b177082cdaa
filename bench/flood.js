'use strict'

const { OURS, NODE, DISCARDED, LOOP, library, limit } = require('./lib/contenders')
const { flood } = require('./lib/profile')
const { program } = require('./lib/programs')

const { children, warmup, time } = flood
const at = 'flood'

module.exports = {
  title: `${children} children that write without end, nobody listens`,
  limit: LOOP,
  lines: [
    { text: 'between two firings of a timer of 1 ms: p50, us', at, metric: 'p50' },
    { text: 'p99, us', at, metric: 'p99' },
    { text: 'max, us', at, metric: 'max' },
    { text: 'growth of the host at most, MiB', at, metric: 'growth' },
    { text: 'bytes of the child that wrote least / most', at, metric: 'fairness' },
    { text: 'MB/s of all', at, metric: 'rate' }
  ],
  trials: [
    ...[OURS, NODE, DISCARDED].map((name) => library(name, 'flood', at, flood)),
    limit(LOOP, at, 'limit-flood', children, warmup, time, program('writer'), 0, 80, 65536)
  ]
}

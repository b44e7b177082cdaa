'use strict'

const { OURS, GROUP, PIDUSAGE, PIDTREE, KEPT_OPEN, library, limit } = require('./lib/contenders')
const { children, metrics } = require('./lib/profile')
const { program } = require('./lib/programs')

const { many } = children
const { samples, calls, trees } = metrics
const at = String(many)
const pause = 50 // ms, as in the trial

module.exports = {
  title: `CPU and memory of ${many} idle children`,
  limit: KEPT_OPEN,
  lines: [
    { text: 'one sample that nobody asked for, CPU us', at, metric: 'unheard' },
    { text: "of it the loop's thread, CPU us", at, metric: 'unheardLoop' },
    { text: 'the longest that it holds up the loop, us', at, metric: 'unheardBusy' },
    { text: 'one sample for a listener that looks at one, CPU us', at, metric: 'heard' },
    { text: "of it the loop's thread, CPU us", at, metric: 'heardLoop' },
    { text: 'the longest that it holds up the loop, us', at, metric: 'heardBusy' },
    { text: 'one sample with objects of all, CPU us', at, metric: 'cpu' },
    { text: 'the same, something was started meanwhile', at, metric: 'started' },
    { text: "of it the loop's thread, CPU us", at, metric: 'loop' },
    { text: 'the longest that it holds up the loop, us', at, metric: 'busy' },
    { text: `${trees.count} trees of ${trees.processes} each 5 s, CPU us a sample`, at: 'trees', metric: 'cpu' },
    { text: `a tree of ${many}, us`, at: 'tree', metric: 'tree' },
    { text: 'the same once more, us', at: 'tree', metric: 'again' },
    { text: 'a status, sampled less than a second ago, us', at: 'status', metric: 'status' },
    { text: 'a status with a sample, us', at: 'status', metric: 'fresh' }
  ],
  trials: [
    ...[OURS, GROUP, PIDUSAGE].map((name) => library(name, 'metrics', at, { count: many, samples, calls: 0 })),
    ...[OURS, GROUP].map((name) => library(name, 'trees', 'trees', trees)),
    ...[OURS, GROUP].map((name) => library(name, 'metrics', 'status', { count: 1, samples, calls })),
    ...[OURS, PIDTREE].map((name) => library(name, 'tree', 'tree', { count: many, samples })),
    limit(KEPT_OPEN, at, 'limit-metrics', many, samples, pause, 'alone', program('sleeper')),
    limit(KEPT_OPEN, 'trees', 'limit-metrics', trees.count, trees.samples, trees.interval, 'trees', program('family'), trees.processes - 1),
    limit(KEPT_OPEN, 'status', 'limit-metrics', 1, 5, 1100, 'trees', program('sleeper'))
  ]
}

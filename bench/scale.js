'use strict'

const { NODE, OURS, GROUP, CLONE, library, limit } = require('./lib/contenders')
const { children, probes } = require('./lib/profile')
const { program } = require('./lib/programs')

const { few, many, most } = children

function trialsAt(count, libraries) {
  return [
    ...libraries.map((name) => library(name, 'scale', String(count), { count, probes })),
    limit(CLONE, String(count), 'limit-scale', count, probes, program('sleeper'))
  ]
}

const lines = (text, metric, ...counts) =>
  counts.map((count) => ({ text: text.replace('N', count), at: String(count), metric }))

module.exports = {
  title: 'Many idle children',
  lines: [
    ...lines('a spawn with N alive, us', 'at', few, many, most),
    ...lines('the first 100 spawns of N, us each', 'first', most),
    ...lines('the last 100 spawns of N, us each', 'last', most),
    ...lines('one exit among N, CPU us', 'exitCpu', few, many, most),
    ...lines('one exit among N, us', 'exitWall', few, many, most),
    ...lines('host memory per child of N, KiB', 'kibibytes', many, most)
  ],
  /* child_process takes minutes for the most. */
  trials: [
    ...trialsAt(few, [OURS, GROUP, NODE]),
    ...trialsAt(many, [OURS, GROUP, NODE]),
    ...trialsAt(most, [OURS, GROUP])
  ]
}

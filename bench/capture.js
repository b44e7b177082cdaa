'use strict'

const { OURS, NODE, DISCARDED, READLINE, EXECA, SPLIT2, RING, PATIENT_RING, library, limit } = require('./lib/contenders')
const { output } = require('./lib/profile')
const { program } = require('./lib/programs')

/* bytes: of all children. */
const settings = {
  __proto__: null,
  '80-byte lines': { children: 1, bytes: output.bulk, line: 80, write: 65536 },
  '1 KiB lines': { children: 1, bytes: output.bulk, line: 1024, write: 65536 },
  '10 children, 80-byte lines': { children: 10, bytes: output.bulk, line: 80, write: 65536 },
  'a write per 80-byte line': { children: 1, bytes: output.single, line: 80, write: 80 }
}
const [BULK, , , SINGLE] = Object.keys(settings)
const BIG_PIPE = 2 ** 20
const PAUSE = 1000 // us

/* Whole lines for each of the children. */
const share = ({ children, bytes, line }, part) => line * Math.floor(bytes / part / children / line)

function trialsAt([at, setting]) {
  const { children, line, write } = setting
  const trial = (name, part = 1) =>
    library(name, 'capture', at, { ...setting, bytes: share(setting, part), output: 'ring' })
  const inC = (name, pipe, pause) =>
    limit(name, at, 'limit-capture', children, pipe, pause, program('writer'), share(setting, 1), line, write)
  return [
    ...[OURS, NODE, DISCARDED, READLINE, SPLIT2].map((name) => trial(name)),
    trial(EXECA, 8), // slow, and in proportion
    inC(RING, 0, 0),
    ...(at === SINGLE ? [inC(PATIENT_RING, BIG_PIPE, PAUSE)] : [])
  ]
}

module.exports = {
  title: 'Output that nobody listens to, the last 1000 lines kept',
  limit: RING,
  lines: Object.keys(settings).flatMap((at) => [
    { text: `CPU s/GB, ${at}`, at, metric: 'cpu' },
    { text: `MB/s, ${at}`, at, metric: 'rate' }
  ]),
  trials: Object.entries(settings).flatMap(trialsAt),
  BULK,
  SINGLE
}

'use strict'

const { OURS, NODE, READLINE, EXECA, library } = require('./lib/contenders')
const { output } = require('./lib/profile')

const trial = (name, at, part = 1) =>
  library(name, 'capture', at, { children: 1, bytes: 80 * Math.floor(output.bulk / part / 80), line: 80, write: 65536, output: at })

module.exports = {
  title: 'Output that is listened to, 80-byte lines',
  lines: ['stdout', 'line'].flatMap((at) => [
    { text: `CPU s/GB, ${at} listener`, at, metric: 'cpu' },
    { text: `MB/s, ${at} listener`, at, metric: 'rate' }
  ]),
  trials: [trial(OURS, 'stdout'), trial(NODE, 'stdout'), trial(OURS, 'line'), trial(READLINE, 'line'), trial(EXECA, 'line', 8)]
}

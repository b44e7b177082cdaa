'use strict'

const { OURS, NODE, library } = require('./lib/contenders')
const { isQuick } = require('./lib/profile')

const at = 'stop'
const kinds = {
  plain: 'ends by SIGTERM, does not read stdin',
  eof: 'ends when stdin ends, or by SIGTERM',
  'eof-only': 'ends when stdin ends, ignores SIGTERM',
  slow: 'takes 300 ms after SIGTERM',
  ignore: 'ignores SIGTERM',
  stopped: 'has been stopped (SIGSTOP)',
  flood: 'has a daemon that floods stdout',
  hold: 'has a daemon that holds stdout'
}
const chosen = isQuick ? ['plain', 'hold'] : Object.keys(kinds)
const EOF_FIRST = `${OURS}, eofTimeout 2000`

const trial = (name, options = {}) =>
  ({ ...library(name, 'stop', at, { kinds: chosen, options }), ...(name === OURS && options.eofTimeout && { name: EOF_FIRST }) })

module.exports = {
  title: 'A stop with 2 s to SIGKILL, of a child that',
  rounds: 2,
  lines: [
    ...chosen.map((kind) => ({ text: `${kinds[kind]}, ms`, at, metric: kind })),
    { text: 'stops that never settled', at, metric: 'hung' },
    { text: 'processes there when it settled', at, metric: 'atOnce' },
    { text: 'processes left behind, 500 ms later', at, metric: 'left' }
  ],
  trials: [trial(OURS), trial(OURS, { eofTimeout: 2000 }), trial(NODE), trial('execa'), trial('MCP SDK')],
  EOF_FIRST
}

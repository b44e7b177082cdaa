'use strict'

const { OURS, OURS_RAW, NODE, NODE_RAW, SDK, JSON_ONLY, PIPE, library, limit } = require('./lib/contenders')
const { messages } = require('./lib/profile')
const { program } = require('./lib/programs')

/* window: how many are outstanding. */
const sizes = {
  __proto__: null,
  '200 B x64': { size: 200, window: 64, ...messages.small },
  '200 B x1': { size: 200, window: 1, ...messages.single },
  '64 KiB x1': { size: 64 * 1024, window: 1, ...messages.medium },
  '4 MiB x1': { size: 4 * 2 ** 20, window: 1, ...messages.large }
}
const [MANY, ONE, MEDIUM, LARGE] = Object.keys(sizes)

const trialsAt = ([at, setting]) => [
  ...[OURS, OURS_RAW, NODE, NODE_RAW, SDK, JSON_ONLY].map((name) => library(name, 'messages', at, setting)),
  limit(PIPE, at, 'limit-messages', setting.size, setting.window, setting.warmup, setting.count, program('echo'))
]

const linesAt = (at) => [
  { text: `messages/s, ${at}`, at, metric: 'rate' },
  { text: `p50 us, ${at}`, at, metric: 'p50' },
  { text: `p99 us, ${at}`, at, metric: 'p99' },
  { text: `CPU us/message, ${at}`, at, metric: 'cpu' }
]

module.exports = {
  title: 'JSON lines through a child that echoes them',
  limit: PIPE,
  lines: Object.keys(sizes).flatMap(linesAt),
  trials: Object.entries(sizes).flatMap(trialsAt),
  MANY,
  ONE,
  MEDIUM,
  LARGE
}

'use strict'

const { OURS, JSON_ECHO, python } = require('./lib/contenders')
const profile = require('./lib/profile')

const at = 'python'

module.exports = {
  title: 'From Python',
  limit: JSON_ECHO,
  lines: [
    { text: 'a status, there and back, p50 us', at, metric: 'p50' },
    { text: 'calls/s, 1 thread', at, metric: 'rate' },
    { text: 'calls/s, 32 threads', at, metric: 'rate32' },
    { text: 'line events/s to a callback', at, metric: 'events' },
    { text: 'start, ms', at, metric: 'start' }
  ],
  trials: [python(OURS, 'ours', at, profile.python), python(JSON_ECHO, 'echo', at, profile.python)]
}

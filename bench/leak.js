'use strict'

const { NODE, OURS, library } = require('./lib/contenders')
const { cycles } = require('./lib/profile')

module.exports = {
  title: `Left behind by 2 x ${cycles} children that came and went (the worst round)`,
  rounds: 2,
  summarise: (values) => Math.max(...values),
  lines: [
    { text: 'descriptors', at: 'cycles', metric: 'descriptors' },
    { text: 'zombies', at: 'cycles', metric: 'zombies' },
    { text: 'growth in the second half, MiB', at: 'cycles', metric: 'growth' }
  ],
  trials: [OURS, NODE].map((name) => library(name, 'leak', 'cycles', { cycles }))
}

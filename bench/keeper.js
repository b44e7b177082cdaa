'use strict'

const { OURS, library } = require('./lib/contenders')
const { isQuick } = require('./lib/profile')

const at = 'keeper'

module.exports = {
  title: 'What a keeper costs',
  lines: [
    { text: 'its memory (PSS), KiB', at, metric: 'pss' },
    { text: 'its resident size, shared pages included, KiB', at, metric: 'rss' },
    { text: 'its file, KiB', at, metric: 'file' },
    { text: "spawn to the command's first moment: group, us", at, metric: 'group' },
    { text: 'tree, us', at, metric: 'tree' },
    { text: 'nested, us', at, metric: 'nested' },
    { text: 'what a keeper adds, us', at, metric: 'added' }
  ],
  trials: [library(OURS, 'keeper', at, isQuick ? { keepers: 5, starts: 10 } : { keepers: 100, starts: 200 })]
}

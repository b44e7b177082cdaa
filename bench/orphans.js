'use strict'

const { OURS, NODE, library } = require('./lib/contenders')
const { isQuick } = require('./lib/profile')
const { keyOf } = require('./lib/rounds')
const { table } = require('./lib/table')
const matrix = require('../test/orphans/matrix')

const at = 'matrix'
const contenders = [OURS, NODE, 'execa', 'MCP SDK']
const rows = isQuick ? matrix.named(matrix.rows, ['plain', 'daemon']) : matrix.rows
const ends = isQuick ? matrix.named(matrix.ends, ['stop', 'SIGKILL']) : matrix.ends

/* Ours ends its trees, so it is timed with little beside it; those who wait in
 * vain for an end that does not come may do so together. */
const setting = {
  rows: rows.map(({ name }) => name),
  ends: ends.map(({ name }) => name),
  limit: isQuick ? 500 : 3000
}
const parallel = (name) => (name === OURS ? 2 : 12)

/** One line for all ends of a contender that leave the same behind. */
function linesOf(contender, results) {
  const lines = new Map()
  for (const end of ends) {
    const cells = rows.map((row) => {
      const look = (metric) => results[keyOf({ name: contender, at })][`${row.name}, ${end.name}, ${metric}`].value
      return look('left') === 0 ? '0' : `${look('left')}/${row.size}`
    })
    const key = cells.join()
    if (!lines.has(key)) lines.set(key, { names: [], cells })
    lines.get(key).names.push(end.name)
  }
  return [...lines.values()].map(({ names, cells }) => [`${contender}: ${nameOf(names)}`, ...cells])
}

const nameOf = (names) =>
  names.length > ends.length / 2 + 1 ? `all${butFor(ends.filter(({ name }) => !names.includes(name)))}` : names.join(', ')
const butFor = (others) => (others.length > 0 ? ` but ${others.map(({ name }) => name).join(', ')}` : '')

module.exports = {
  title: `A tree of processes ends in ${rows.length * ends.length} ways`,
  rounds: 1,
  lines: [
    { text: 'ways after which nothing was left', at, metric: 'clean' },
    { text: 'processes left behind', at, metric: 'left' },
    { text: 'host gone to tree gone, at most, ms', at, metric: 'quick' },
    { text: 'the same where SIGTERM is ignored, ms', at, metric: 'slow' }
  ],
  trials: contenders.map((name) => library(name, 'orphans', at, { ...setting, parallel: parallel(name) })),
  show: (results) => table(
    ['Left behind, of so many', ...rows.map(({ name }) => name)],
    contenders.flatMap((contender) => linesOf(contender, results))
  )
}

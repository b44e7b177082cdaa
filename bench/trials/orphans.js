'use strict'

/* The matrix of test/orphans with one driver: what each cell leaves behind. */

const { runCell } = require('../../test/orphans/cell')
const { rows, ends, cells, named, inParallel } = require('../../test/orphans/matrix')
const { prepare } = require('../../test/orphans/place')

async function measure(driver, { rows: rowNames, ends: endNames, limit, parallel }) {
  const place = prepare()
  try {
    const list = cells(named(rows, rowNames), named(ends, endNames))
    return await inParallel(list, parallel, (cell) => runCell(cell, { place, driver, limit }))
  } finally {
    place.remove()
  }
}

/* Only of ends of the host; nothing where nothing of the kind was clean. */
function slowest(results, isWanted) {
  const times = results.filter(({ row, end, ms }) => !end.staysUp && ms !== null && isWanted(row)).map(({ ms }) => ms)
  return times.length > 0 ? Math.max(...times) : undefined
}

async function main([driver, json]) {
  const results = await measure(driver, JSON.parse(json))
  const left = results.map(({ row, end, survivors }) => [`${row.name}, ${end.name}, left`, survivors.length])
  process.stdout.write(`${JSON.stringify({
    clean: left.filter(([, count]) => count === 0).length,
    left: left.reduce((sum, [, count]) => sum + count, 0),
    quick: slowest(results, ({ outlivesTerm, endsItself }) => !outlivesTerm && !endsItself),
    slow: slowest(results, ({ outlivesTerm }) => outlivesTerm),
    ...Object.fromEntries(left)
  })}\n`)
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error)
  process.exit(1)
})

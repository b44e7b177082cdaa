'use strict'

// However a host ends and whatever the tree of a command is: nothing survives.

const { runCell } = require('./cell')
const { rows, ends, cells } = require('./matrix')
const { prepare } = require('./place')
const { makeManager } = require('../support/manager')

/* uv_spawn cannot start a keeper. */
const withKeeper = makeManager().backend === 'clone' ? test.concurrent : test.concurrent.skip
let place

/* Not by beforeAll: concurrent tests do not wait for it. */
function run (cell, containment, limit) {
  place ??= prepare()
  const hostEnv = process.env.PM_TEST_PRELOAD ? { LD_PRELOAD: process.env.PM_TEST_PRELOAD } : {}
  return runCell(cell, { place, driver: 'ours', options: { manager: { containment } }, hostEnv, limit })
}

afterAll(() => place?.remove())

const SIGKILL = ends.filter(({ name }) => name === 'SIGKILL')
const stop = ends.filter(({ name }) => name === 'stop')
const table = list => list.map(cell => [cell.row.name, cell.end.name, cell])

function expectTree ({ row, stood, containment }, wanted) {
  expect(containment).toBe(wanted)
  if (row.isSteady) expect(stood).toBe(row.size)
}

function expectNothingLeft (result) {
  if (result.stop) expect(result.stop).toEqual({ stopped: true, isHeld: false, left: [] })
  expect(result.survivors).toEqual([])
}

describe.each([
  ['tree', cells()],
  ['nested', cells(rows, SIGKILL)]
])('containment \'%s\' leaves nothing', (containment, list) => {
  withKeeper.each(table(list))('%s: %s', async (row, end, cell) => {
    const result = await run(cell, containment)
    expectTree(result, containment)
    expectNothingLeft(result)
  })
})

// What the rows are worth: without containment they leave something behind.
describe('containment \'none\' leaves something', () => {
  const lasting = rows.filter(({ endsItself }) => !endsItself)
  const deep = rows.filter(({ isDeep }) => isDeep)
  test.concurrent.each(table([...cells(lasting, SIGKILL), ...cells(deep, stop)]))('%s: %s', async (row, end, cell) => {
    const result = await run(cell, 'none', 300)
    expectTree(result, 'none')
    expect(result.survivors).not.toEqual([])
  })
})

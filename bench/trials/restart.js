'use strict'

/* From the last moment of a child that crashes to the first of its next run. */

const { growTo } = require('../lib/memory')
const median = require('../lib/median')
const { program } = require('../lib/programs')
const stamps = require('../lib/stamps')
const { trial } = require('../lib/trial')

trial(async (driver, { mebibytes, runs }) => {
  growTo(mebibytes)
  const { file, remove } = stamps.create(runs)
  try {
    await new Promise((resolve) => driver.supervise(program('crash'), [file, String(runs)], resolve))
    return { restart: median(stamps.gaps(file, runs)) }
  } finally {
    remove()
  }
})

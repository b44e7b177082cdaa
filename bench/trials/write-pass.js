'use strict'

/* The cost that a fork leaves behind: it write-protects the host's memory, and
 * the next write to each page pays for that. */

const { performance } = require('node:perf_hooks')
const median = require('../lib/median')
const { program } = require('../lib/programs')
const { trial, turn } = require('../lib/trial')

const PAGE = 4096

function writePass(buffer, value) {
  const begin = performance.now()
  for (let i = 0; i < buffer.length; i += PAGE) buffer[i] = value
  return performance.now() - begin
}

trial(async (driver, { mebibytes, repeats }) => {
  const buffer = Buffer.alloc(mebibytes * 2 ** 20, 1)
  const plain = []
  const after = []
  writePass(buffer, 0) // compiled now, and warm
  for (let i = 0; i < repeats; i++) {
    plain.push(writePass(buffer, i))
    const ended = new Promise((resolve) => driver.start(program('exit-now'), [], resolve))
    after.push(writePass(buffer, i))
    await ended
    await turn()
  }
  return { plain: median(plain), after: median(after) }
})

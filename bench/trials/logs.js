'use strict'

/* How long it takes to ask for the last lines of both streams. */

const { performance } = require('node:perf_hooks')
const median = require('../lib/median')
const { program } = require('../lib/programs')
const { trial } = require('../lib/trial')

const LINE = 80

/* More than is kept, so that what is kept has been written over. */
const bytes = (lines) => String(2 * LINE * lines)

function timesOf(ask, lines, calls) {
  const times = []
  for (let i = 0; i < calls; i++) {
    const begin = performance.now()
    const { stdout, stderr } = ask(lines)
    times.push((performance.now() - begin) * 1e3)
    const isAll = (kept) => kept.length === lines && kept[0].length === LINE - 1
    if (!isAll(stdout) || !isAll(stderr)) throw new Error(`${stdout.length} and ${stderr.length} lines, not ${lines}`)
  }
  return times
}

async function measure(driver, { few, many, calls }) {
  const write = '"$0" "$@"; "$0" "$@" >&2'
  const ask = await driver.keep('/bin/sh', ['-c', write, program('writer'), bytes(many), String(LINE), '65536'])
  const figures = {}
  for (const [name, lines] of Object.entries({ few, many })) {
    timesOf(ask, lines, calls) // until it is compiled
    figures[name] = median(timesOf(ask, lines, calls))
  }
  return figures
}

trial(measure)

'use strict'

/* What it costs the host to read its children's output to the end. */

const { performance } = require('node:perf_hooks')
const { program } = require('../lib/programs')
const { KEPT } = require('../lib/sinks')
const { trial } = require('../lib/trial')

/* A way to read that loses something is no way to read. */
function check({ kept, lines, characters }, bytes, line) {
  const wanted = bytes / line
  const isTail = ({ length }) => length === Math.min(wanted, KEPT) && kept.every((text) => text.length === line - 1)
  if (kept && !isTail(kept)) throw new Error(`${kept.length} lines were kept`)
  if (lines !== undefined && lines !== wanted) throw new Error(`${lines} lines were read, ${wanted} were written`)
  const all = lines === undefined ? bytes : bytes - lines
  if (characters !== undefined && characters !== all) throw new Error(`${characters} characters were read of ${all}`)
}

async function measure(driver, { children, bytes, line, write }) {
  const args = [bytes, line, write].map(String)
  const one = () => new Promise((resolve) => {
    const token = driver.consume(program('writer'), args, () => resolve(token))
  })
  const used = process.cpuUsage()
  const begin = performance.now()
  const tokens = await Promise.all(Array.from({ length: children }, one))
  const wall = performance.now() - begin
  const { user, system } = process.cpuUsage(used)
  for (const token of tokens) check(driver.seen(token), bytes, line)
  const total = children * bytes
  return { cpu: ((user + system) * 1e3) / total, rate: total / 1e3 / wall }
}

trial(measure, ({ output }) => ({ output }))

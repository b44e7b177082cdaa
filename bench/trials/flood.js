'use strict'

/* What children that write without end leave of the host's loop and memory, and
 * whether each of them is read. */

const fs = require('node:fs')
const { performance } = require('node:perf_hooks')
const percentile = require('../lib/percentile')
const { program } = require('../lib/programs')
const { trial, turn } = require('../lib/trial')

const kibibytes = (name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(fs.readFileSync('/proc/self/status', 'latin1'))[1])

/* From here on VmHWM says how large this process has been at most (proc(5)). */
async function forgetPeak() {
  for (let i = 0; i < 2; i++) {
    global.gc()
    await turn()
  }
  fs.writeFileSync('/proc/self/clear_refs', '5')
  return kibibytes('VmRSS')
}

/* By what the child has written, which is the same for all: a pipe or a socket
 * holds little beside it. */
const writtenBy = (pid) => Number(/^wchar: (\d+)$/m.exec(fs.readFileSync(`/proc/${pid}/io`, 'latin1'))[1])

/** The ms between two firings of a timer of 1 ms that is set anew whenever it fires. */
function tick(time) {
  return new Promise((resolve) => {
    const gaps = []
    const begin = performance.now()
    let last = begin
    setTimeout(fire, 1)

    function fire() {
      const now = performance.now()
      gaps.push(now - last)
      if (now - begin >= time) return resolve(gaps)
      last = performance.now()
      setTimeout(fire, 1)
    }
  })
}

async function measure(driver, { children, warmup, time }) {
  const before = await forgetPeak()
  const tokens = []
  const ends = Array.from({ length: children }, () => new Promise((resolve) => {
    tokens.push(driver.consume(program('writer'), ['0', '80', '65536'], resolve))
  }))
  await tick(warmup)
  const pids = driver.pids(tokens)
  const begin = performance.now()
  const start = pids.map(writtenBy)
  const gaps = await tick(time)
  const bytes = pids.map((pid, i) => writtenBy(pid) - start[i])
  const wall = performance.now() - begin
  const growth = (kibibytes('VmHWM') - before) / 1024
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await Promise.all(ends)
  return {
    p50: percentile(gaps, 0.5) * 1e3,
    p99: percentile(gaps, 0.99) * 1e3,
    max: Math.max(...gaps) * 1e3,
    growth,
    fairness: Math.min(...bytes) / Math.max(...bytes),
    rate: bytes.reduce((sum, value) => sum + value) / 1e3 / wall
  }
}

trial(measure, () => ({ output: 'ring' }))

'use strict'

/* Many idle children: what the next spawn costs, what one exit among them
 * costs, and what each of them keeps of the host's memory. */

const { performance } = require('node:perf_hooks')
const median = require('../lib/median')
const { program } = require('../lib/programs')
const { trial, turn } = require('../lib/trial')

function startSleeper(driver) {
  const child = {}
  child.ended = new Promise((resolve) => {
    const begin = performance.now()
    child.token = driver.start(program('sleeper'), [String(process.pid)], resolve)
    child.time = (performance.now() - begin) * 1e3
  })
  return child
}

async function startSleepers(driver, count) {
  const children = []
  for (let i = 0; i < count; i++) {
    children.push(startSleeper(driver))
    await turn()
  }
  return children
}

const pidsOf = (driver, children) => driver.pids(children.map(({ token }) => token))

async function endAll(driver, children) {
  for (const pid of pidsOf(driver, children)) process.kill(pid, 'SIGKILL')
  await Promise.all(children.map(({ ended }) => ended))
}

/* Twice, and a turn between: closed handles are freed in their own callbacks. */
async function residentSize() {
  for (let i = 0; i < 2; i++) {
    global.gc()
    await turn()
  }
  return process.memoryUsage.rss()
}

/* Medians: V8 compiles what has become hot, and collects garbage, in threads of
 * its own at moments of its own, which falls on one exit or another. */
async function measureExits(driver, children) {
  const pids = pidsOf(driver, children)
  const cpu = []
  const wall = []
  for (const [i, child] of children.entries()) {
    const used = process.cpuUsage()
    const begin = performance.now()
    process.kill(pids[i], 'SIGKILL')
    await child.ended
    wall.push((performance.now() - begin) * 1e3)
    const { user, system } = process.cpuUsage(used)
    cpu.push(user + system)
    await turn()
  }
  return { exitCpu: median(cpu), exitWall: median(wall) }
}

const times = (children) => median(children.map(({ time }) => time))

async function measure(driver, { count, probes }) {
  /* What is loaded, compiled and pooled once is no child's share. */
  await endAll(driver, await startSleepers(driver, probes))

  const before = await residentSize()
  const children = await startSleepers(driver, count)
  const kibibytes = ((await residentSize()) - before) / 1024 / count
  const extra = await startSleepers(driver, probes)
  const exits = await measureExits(driver, extra)
  await endAll(driver, children)
  const span = Math.min(100, count >> 1)
  return {
    first: times(children.slice(0, span)),
    last: times(children.slice(-span)),
    at: times(extra),
    ...exits,
    kibibytes
  }
}

/* Metrics are sampled only when asked for: the peers have none. */
trial(measure, ({ count, probes }) => ({ maxProcesses: count + probes, monitorInterval: 0 }))

'use strict'

/* What one sample of many idle children costs, and how long it holds the loop up;
 * a status from a sample that is fresh, and from one that is too old. */

const { execFileSync } = require('node:child_process')
const { openSync, readSync } = require('node:fs')
const { performance } = require('node:perf_hooks')
const { setTimeout: wait } = require('node:timers/promises')
const median = require('../lib/median')
const { program } = require('../lib/programs')
const { trial, turn } = require('../lib/trial')

const INTERVAL = 50 // ms between samples: who takes one after another has all in the processor's caches
const REST = 500 // ms in which V8 does what it does when it has nothing to do
const YOUNG = 1100 // ms in which a process is looked at more often, and a sample is fresh

async function startSleepers(driver, count) {
  const tokens = []
  const ended = []
  for (let i = 0; i < count; i++) {
    ended.push(new Promise((resolve) => tokens.push(driver.start(program('sleeper'), [String(process.pid)], resolve))))
    await turn()
  }
  return { tokens, pids: driver.pids(tokens), ended: Promise.all(ended) }
}

async function sampleOf(driver, pids) {
  const seen = await driver.sample(pids)
  if (seen !== pids.length) throw new Error(`${seen} of ${pids.length} were sampled`)
}

const nothing = () => {}

/* Microseconds that this thread, the loop's, has been on a processor. */
const account = openSync('/proc/thread-self/schedstat')
const text = Buffer.alloc(64)
const loopTime = () => parseInt(text.toString('latin1', 0, readSync(account, text, 0, 64, 0)), 10) / 1e3

/* Of all threads, and of the loop's alone. */
async function measureCpu(sample, samples, prepare = nothing) {
  const cpu = []
  const loop = []
  for (let i = 0; i < samples; i++) {
    await wait(INTERVAL)
    prepare()
    const loopBefore = loopTime()
    const before = process.cpuUsage()
    await sample()
    const { user, system } = process.cpuUsage(before)
    loop.push(loopTime() - loopBefore)
    cpu.push(user + system)
  }
  return { cpu: median(cpu), loop: median(loop) }
}

/* The longest time between two turns of a loop that has nothing else to do, until the promise settles; in us. */
async function longestTurn(promise) {
  let isDone = false
  let longest = 0
  const done = promise.then(() => {
    isDone = true
  })
  for (let last = performance.now(); !isDone; ) {
    await turn()
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  await done
  return longest * 1e3
}

async function measureBusy(sample, samples) {
  const busy = []
  for (let i = 0; i < samples; i++) busy.push(await longestTurn(sample()))
  return median(busy)
}

/* Of a driver that samples by itself, by the time that a sample has; what was measured before has left garbage. */
async function measureItself(samples) {
  global.gc()
  await wait(REST)
  const loopBefore = loopTime()
  const before = process.cpuUsage()
  await wait(samples * INTERVAL)
  const { user, system } = process.cpuUsage(before)
  const figures = { cpu: (user + system) / samples, loop: (loopTime() - loopBefore) / samples }
  const busy = []
  for (let i = 0; i < samples; i++) busy.push(await longestTurn(wait(INTERVAL)))
  return { ...figures, busy: median(busy) }
}

async function measureUnasked(driver, token, samples) {
  const unheard = await measureItself(samples)
  const end = driver.watch(token)
  const heard = await measureItself(samples)
  end()
  return {
    unheard: unheard.cpu,
    unheardLoop: unheard.loop,
    unheardBusy: unheard.busy,
    heard: heard.cpu,
    heardLoop: heard.loop,
    heardBusy: heard.busy
  }
}

async function measureStatus(driver, token, calls) {
  const times = []
  const ask = () => {
    const begin = performance.now()
    driver.status(token)
    return (performance.now() - begin) * 1e3
  }
  for (let i = 0; i < 2 * calls; i++) times.push(ask())
  const fresh = []
  for (let i = 0; i < 5; i++) {
    await wait(YOUNG)
    fresh.push(ask())
  }
  return { status: median(times.slice(calls)), fresh: median(fresh) }
}

async function measure(driver, { count, samples, calls }) {
  const { tokens, pids, ended } = await startSleepers(driver, count)
  await wait(YOUNG)
  const figures = {}
  if (calls > 0) {
    Object.assign(figures, await measureStatus(driver, tokens[0], calls))
  } else {
    const sample = () => sampleOf(driver, pids)
    for (let i = 0; i < samples; i++) await sample()
    Object.assign(figures, await measureCpu(sample, samples))
    figures.started = (await measureCpu(sample, samples, () => execFileSync('/bin/true'))).cpu
    figures.busy = await measureBusy(sample, samples)
    if (driver.samplesByItself) Object.assign(figures, await measureUnasked(driver, tokens[0], samples))
  }
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await ended
  return figures
}

/* A sample of ours is a round of the monitor; for the status there is none. */
trial(measure, ({ count, calls }) => ({ maxProcesses: count, monitorInterval: calls > 0 ? 0 : INTERVAL }))

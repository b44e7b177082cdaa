'use strict'

/* How long a spawn blocks the loop, and how long until its end is known. */

const { performance } = require('node:perf_hooks')
const { growTo } = require('../lib/memory')
const median = require('../lib/median')
const { program } = require('../lib/programs')
const { trial, turn } = require('../lib/trial')

const child = program('exit-now')

async function spawnOnce(driver, check) {
  let onExit
  const ended = new Promise((resolve) => {
    onExit = () => resolve(performance.now())
  })
  const begin = performance.now()
  const token = driver.start(child, [], onExit)
  if (driver.started) await driver.started(token)
  const block = performance.now() - begin
  if (check) check(token)
  const exit = (await ended) - begin
  await turn()
  return { block: block * 1e3, exit: exit * 1e3 }
}

/* Nothing may be put off to a later turn, where it would not be measured. */
function hasHappened(driver, token) {
  if (!(driver.pids([token])[0] > 0)) throw new Error('the spawn has not happened yet')
}

trial(async (driver, { mebibytes, warmup, spawns }) => {
  growTo(mebibytes)
  for (let i = 0; i < warmup; i++) await spawnOnce(driver, (token) => hasHappened(driver, token))
  const samples = []
  for (let i = 0; i < spawns; i++) samples.push(await spawnOnce(driver))
  return { block: median(samples.map(({ block }) => block)), exit: median(samples.map(({ exit }) => exit)) }
})

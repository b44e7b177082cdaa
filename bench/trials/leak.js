'use strict'

/* What is left behind by many children that came and went. */

const fs = require('node:fs')
const { program } = require('../lib/programs')
const { trial, turn } = require('../lib/trial')

const AT_ONCE = 10
const PATIENCE = 100 // turns

const descriptors = () => fs.readdirSync('/proc/self/fd').length

function parentAndState(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state, parent: Number(parent) }
  } catch {
    return {} // gone meanwhile
  }
}

function zombies() {
  const mine = ({ state, parent }) => state === 'Z' && parent === process.pid
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && mine(parentAndState(name))).length
}

async function spawnMany(driver, count) {
  const one = () => new Promise((resolve) => driver.start(program('exit-now'), [], resolve))
  for (let done = 0; done < count; done += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - done) }, one))
  }
  /* Closing takes a few turns more than the exit event. */
  for (let i = 0; i < PATIENCE; i++) await turn()
  global.gc()
  await turn()
  global.gc()
  return { descriptors: descriptors(), rss: process.memoryUsage.rss() }
}

trial(async (driver, { cycles }) => {
  await spawnMany(driver, 2 * AT_ONCE)
  const before = descriptors()
  const first = await spawnMany(driver, cycles)
  const second = await spawnMany(driver, cycles)
  return {
    descriptors: Math.max(first.descriptors, second.descriptors) - before,
    zombies: zombies(),
    growth: (second.rss - first.rss) / 2 ** 20
  }
})

'use strict'

/* How long it takes to find the processes of a large tree, and what they use. */

const { performance } = require('node:perf_hooks')
const median = require('../lib/median')
const { program } = require('../lib/programs')
const { trial } = require('../lib/trial')

async function measure(driver, { count, samples }) {
  let token
  const ended = new Promise((resolve) => {
    token = driver.start(program('family'), [String(process.pid), String(count)], resolve)
  })
  const [pid] = driver.pids([token])
  while ((await driver.descendants(pid)) < count) continue
  const times = []
  for (let i = 0; i < samples; i++) {
    const begin = performance.now()
    await driver.tree(pid)
    times.push((performance.now() - begin) * 1e3)
  }
  process.kill(pid, 'SIGKILL')
  await ended
  return { tree: median(times) }
}

trial(measure, () => ({ monitorInterval: 0 }))

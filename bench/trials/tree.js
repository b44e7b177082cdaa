'use strict'

/* How long it takes to find the processes of a large tree, and what they use. */

const { performance } = require('node:perf_hooks')
const median = require('../lib/median')
const { program } = require('../lib/programs')
const { trial, turn } = require('../lib/trial')

async function measure(driver, { count, samples }) {
  let token
  const ended = new Promise((resolve) => {
    token = driver.start(program('family'), [String(process.pid), String(count)], resolve)
  })
  await turn() // a spawn is told of in the next one
  const [pid] = driver.pids([token])
  while ((await driver.descendants(pid)) < count) continue
  const figures = {}
  /* An object that is new keeps descriptors until it is collected. */
  for (const metric of ['again', 'tree']) {
    await driver[metric](pid)
    const times = []
    for (let i = 0; i < samples; i++) {
      const begin = performance.now()
      await driver[metric](pid)
      times.push((performance.now() - begin) * 1e3)
    }
    figures[metric] = median(times)
  }
  process.kill(pid, 'SIGKILL')
  await ended
  return figures
}

trial(measure, () => ({ monitorInterval: 0 }))

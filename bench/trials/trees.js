'use strict'

/* What the host uses to watch many small trees at its usual pace, while something else on the
 * system starts a process now and then. */

const { spawn } = require('node:child_process')
const { setTimeout: wait } = require('node:timers/promises')
const { program } = require('../lib/programs')
const { trial, turn } = require('../lib/trial')

async function measure(driver, { count, processes, interval, samples }) {
  const tokens = []
  const ended = []
  for (let i = 0; i < count; i++) {
    const args = [String(process.pid), String(processes - 1)]
    ended.push(new Promise((resolve) => tokens.push(driver.start(program('family'), args, resolve))))
    await turn()
  }
  const starter = spawn('sh', ['-c', `while sleep ${interval / 5000}; do :; done`], { stdio: 'ignore' })
  while ((await driver.processes()) < count * processes) continue
  await driver.sample()
  const before = process.cpuUsage()
  await wait(samples * interval)
  const { user, system } = process.cpuUsage(before)
  starter.kill()
  for (const pid of driver.pids(tokens)) process.kill(pid, 'SIGKILL')
  await Promise.all(ended)
  return { cpu: (user + system) / samples }
}

trial(measure, ({ count, interval }) => ({ maxProcesses: count, monitorInterval: interval }))

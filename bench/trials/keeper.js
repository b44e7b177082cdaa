'use strict'

/* What a keeper costs: its memory, and the time that it adds to a start. */

const fs = require('node:fs')
const path = require('node:path')
const { once } = require('node:events')
const ProcessManager = require('../..')
const median = require('../lib/median')
const { program } = require('../lib/programs')

const parentOf = (pid) => Number(/^PPid:\t(\d+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1])

/* KiB of one line of smaps_rollup (proc(5)). */
function sizeOf(pid, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1])
}

/* A keeper that sleeps has set itself up. */
async function asleep(pid) {
  while (!/^State:\tS/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

async function measureMemory(manager, count) {
  const keepers = []
  for (let i = 0; i < count; i++) {
    const id = manager.spawnProcess({ command: program('sleeper'), args: [String(process.pid)] })
    keepers.push(parentOf(manager.getProcessStatus(id).pid))
  }
  for (const pid of keepers) await asleep(pid)
  const figures = {
    pss: median(keepers.map((pid) => sizeOf(pid, 'Pss'))),
    rss: median(keepers.map((pid) => sizeOf(pid, 'Rss'))),
    file: fs.statSync(`/proc/${keepers[0]}/exe`).size / 1024
  }
  await manager.stopAll(0)
  return figures
}

/* µs from the call to the child's first moment. */
async function start(manager, containment) {
  const begin = process.hrtime.bigint()
  const id = manager.spawnProcess({ command: program('first'), containment })
  const exit = once(manager, 'exit')
  const [{ data }] = await once(manager, 'stdout')
  await exit
  manager.removeProcess(id)
  return Number(BigInt(data) - begin) / 1e3
}

async function measureStarts(manager, count) {
  const times = { tree: [], group: [], nested: [] }
  for (let i = 0; i < count; i++) {
    for (const containment of Object.keys(times)) times[containment].push(await start(manager, containment))
  }
  const [tree, group, nested] = Object.values(times).map(median)
  return { tree, group, nested, added: tree - group }
}

async function main({ keepers, starts }) {
  const manager = new ProcessManager({ maxProcesses: keepers, monitorInterval: 0 })
  const figures = { ...await measureMemory(manager, keepers), ...await measureStarts(manager, starts) }
  await manager.cleanup()
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

main(JSON.parse(process.argv[3])).catch((error) => {
  console.error(path.basename(__filename), error)
  process.exit(1)
})

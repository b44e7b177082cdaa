'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const ProcessMetrics = require('../../lib/process-metrics')
const { makeManager, startReady, wrote, portable } = require('../support/manager')
const { fixture, until } = require('../support/children')

const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

/* What follows a command keeps a shell from becoming that command. */
const shell = (...commands) => ['-c', `${commands.join('; ')}; exit 0`]

/** A chain like that of npx: a shell that runs a shell that runs the command. */
const chainOf = command => ({ command: 'sh', args: shell(`sh -c '${command}; exit 0'`) })

/** Reads /proc/PID/NAME. */
const proc = (pid, name) => fs.readFileSync(`/proc/${pid}/${name}`, 'latin1')

/** Clock ticks of CPU time of a process and of those that it has waited for. */
function ticksOf (pid) {
  const stat = proc(pid, 'stat')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0)
}

/** The pids of a tree, the root's first. */
function tree (pid) {
  const children = fs.readdirSync(`/proc/${pid}/task`).flatMap(task => proc(pid, `task/${task}/children`).split(' ').filter(Boolean))
  return [pid, ...children.flatMap(child => tree(Number(child)))]
}

/** What the kernel has resident for all of them, in MB. */
function residentOf (pids) {
  return pids.reduce((sum, pid) => sum + Number(/^Rss:\s+(\d+)/m.exec(proc(pid, 'smaps_rollup'))[1]), 0) / 1024
}

/** The ms of CPU that they have used, as the kernel counts them. */
function cpuOf (pids) {
  return pids.reduce((sum, pid) => {
    const stat = proc(pid, 'stat')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + 10 * (Number(fields[11]) + Number(fields[12]))
  }, 0)
}

function expectAbout (value, wanted, tolerance) {
  expect(value).toBeGreaterThan(wanted - tolerance)
  expect(value).toBeLessThan(wanted + tolerance)
}

/* A sample that is not older than now. */
async function freshStatus (manager, id) {
  await wait(1050)
  return manager.getProcessStatus(id)
}

describe('memory', () => {
  test.each([1, 10, 100])('of a chain whose last one has touched %p MB', async mib => {
    const manager = makeManager()
    const id = await startReady(manager, chainOf(`${fixture('touch-memory')} ${mib}`))
    const status = await freshStatus(manager, id)
    const pids = tree(status.pid)
    expect(pids).toHaveLength(3)
    const kernel = residentOf(pids)
    expect(kernel).toBeGreaterThan(mib)
    expectAbout(status.memory, kernel, Math.max(0.5 * pids.length, kernel * 0.02))
    expect(status.processes).toBe(3)
    const own = residentOf([status.pid])
    expectAbout(status.own.memory, own, Math.max(0.5, own * 0.02))
  })

  /* The portable backend has no keepers, without which nobody finds what lost its parent. */
  const testKept = portable ? test.skip : test
  testKept('of what has left the session and lost its parent, with a keeper', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', `(setsid ${fixture('touch-memory')} 50 &); read x`] })
    await wrote(manager, id, 'ready\n')
    const { memory, own } = await freshStatus(manager, id)
    expect(memory).toBeGreaterThan(50)
    expect(own.memory).toBeLessThan(50)
  })

  test('of somebody that has ended is not counted any more', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', `${fixture('touch-memory')} 50 & read x; kill $!; wait; echo done; read x`] })
    await wrote(manager, id, 'ready\n')
    await until(() => manager.getProcessStatus(id).memory > 50, 'it is counted')
    manager.writeStdin(id, '\n')
    await wrote(manager, id, 'done\n')
    await until(() => manager.getProcessStatus(id).memory < 50, 'it is no more')
    expect(manager.getProcessStatus(id)).toMatchObject({ processes: 1 })
  })

  test('is the command\'s own when it has no children', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('burn-cpu') })
    const { cpu, memory, own, processes } = await freshStatus(manager, id)
    expect(processes).toBe(1)
    expect(memory).toBe(own.memory)
    expect(cpu).toBe(own.cpu)
  })
})

describe('cpu', () => {
  test('of a tree that burns in a grandchild', async () => {
    const manager = makeManager({ monitorInterval: 0 })
    const id = await startReady(manager, chainOf(fixture('burn-cpu')))
    await freshStatus(manager, id)
    const pids = tree(manager.getProcessStatus(id).pid)
    const [before, began] = [cpuOf(pids), performance.now()]
    await wait(1100)
    const { cpu, own } = manager.getProcessStatus(id)
    const really = (cpuOf(pids) - before) / (performance.now() - began) * 100
    expectAbout(cpu, really, 10)
    expect(cpu).toBeGreaterThan(0)
    expect(own.cpu).toBeLessThan(5)
  })

  test('is no spike when processes end, and not lost with them', async () => {
    const manager = makeManager({ monitorInterval: 0 })
    /* Each burns about a tenth of a second and ends. */
    const burn = 'i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done'
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', `echo ready; while :; do sh -c "${burn.replaceAll('$', '\\$')}"; done`] })
    await wrote(manager, id, 'ready\n')
    const { pid } = await freshStatus(manager, id)
    const used = () => 10 * ticksOf(pid)
    for (let i = 0; i < 2; i++) {
      const [before, began] = [used(), performance.now()]
      await wait(1100)
      const { cpu } = manager.getProcessStatus(id)
      const really = (used() - before) / (performance.now() - began) * 100
      /* What runs at the ends of the window has not been waited for. */
      expectAbout(cpu, really, 30)
      expect(cpu).toBeGreaterThanOrEqual(really / 4)
    }
  }, 15000)

  test('is never 0 because two looks came close together', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('burn-cpu') })
    const { pid } = manager.getProcessStatus(id)
    await until(() => manager.getProcessStatus(id).cpu > 0, 'it has burnt')
    const looks = []
    for (let i = 0; i < 100; i++) {
      const { cpu } = manager.getProcessStatus(id)
      looks.push({ cpu, at: performance.now(), ticks: ticksOf(pid) })
      await wait(2)
    }
    expect(looks.some(({ cpu }) => cpu > 0)).toBe(true)
    /* A busy machine may give it nothing for a whole window, which is 100 ms at least and may have begun before. */
    const isIdle = (from, to) => from.ticks === to.ticks && (from === looks[0] || to.at - from.at >= 90)
    const hasIdled = upTo => looks.some((to, i) => to.at <= upTo.at && looks.slice(0, i).some(from => isIdle(from, to)))
    expect(looks.filter(look => look.cpu === 0 && !hasIdled(look))).toEqual([])
  })
})

describe('ProcessMetrics', () => {
  test('measures the descendants of any process', async () => {
    const { command, args } = chainOf(`${fixture('touch-memory')} 50`)
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    const gone = new Promise(resolve => child.once('exit', resolve))
    try {
      await new Promise(resolve => child.stdout.once('data', resolve))
      const { memory } = await new ProcessMetrics().getMetrics(child.pid)
      const kernel = residentOf(tree(child.pid))
      expectAbout(memory, kernel, Math.max(0.5, kernel * 0.02))
      expect(kernel).toBeGreaterThan(50)
    } finally {
      process.kill(-child.pid, 'SIGKILL')
      await gone
    }
  })

  test('measures a large tree in several turns', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('fork-levels'), args: ['6', '3', 'stay'] })
    const { pid } = manager.getProcessStatus(id)
    const metrics = new ProcessMetrics()
    let turns = 0
    const count = () => { turns++; counting = setImmediate(count) }
    let counting = setImmediate(count)
    const both = await Promise.all([metrics.getMetrics(pid), metrics.getMetrics(pid)])
    clearImmediate(counting)
    expect(turns).toBeGreaterThan(0)
    const pids = tree(pid)
    expect(pids).toHaveLength(1 + 6 + 36 + 216)
    const kernel = residentOf(pids)
    /* The kernel keeps counters per processor and does not add them up for this. */
    for (const { memory } of both) expectAbout(memory, kernel, pids.length * 0.25)
    await until(() => manager.getProcessStatus(id).processes === 259, 'the manager has counted them all')
  })
})

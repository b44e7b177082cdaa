'use strict'

const { spawn } = require('node:child_process')
const events = require('node:events')
const fs = require('node:fs')
const ProcessMetrics = require('../../lib/process-metrics')
const { makeManager, startReady, exitOf } = require('../support/manager')
const { fixture, until } = require('../support/children')

const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

/** The seconds of CPU that a process has used, as the kernel counts them. */
function cpuSeconds (pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

describe('the status', () => {
  test('shows what a command burns, as far as the machine lets it', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('burn-cpu') })
    const { pid } = manager.getProcessStatus(id)
    await wait(1200)
    manager.getProcessStatus(id)
    const [before, began] = [cpuSeconds(pid), performance.now()]
    await wait(1200)
    const { cpu } = manager.getProcessStatus(id)
    const really = (cpuSeconds(pid) - before) / (performance.now() - began) * 1e5
    expect(cpu).toBeGreaterThan(really * 0.5)
    expect(cpu).toBeLessThan(really * 1.5 + 10)
  })

  test('shows no cpu of a command that sleeps', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    await wait(1100)
    manager.getProcessStatus(id)
    await wait(1100)
    expect(manager.getProcessStatus(id).cpu).toBeLessThan(2)
  })

  test('shows the memory in MB of 2^20 bytes', async () => {
    const manager = makeManager()
    for (const mib of [10, 64]) {
      const id = await startReady(manager, { command: fixture('touch-memory'), args: [String(mib)] })
      const { memory } = manager.getProcessStatus(id)
      expect(memory).toBeGreaterThanOrEqual(mib)
      expect(memory).toBeLessThan(mib + 12)
    }
  })

  test('is fresh when the last sample is older than a second, whatever the interval', async () => {
    const manager = makeManager({ monitorInterval: 0 })
    const id = await startReady(manager, { command: fixture('burn-cpu') })
    const first = manager.getProcessStatus(id)
    expect(manager.listProcesses()[0].cpu).toBe(first.cpu)
    await wait(1100)
    const second = manager.getProcessStatus(id)
    expect(second.cpu).not.toBe(first.cpu)
    expect(manager.getProcessStatus(id).cpu).toBe(second.cpu)
  })

  test('has zeros once the process is gone', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('touch-memory'), args: ['10'] })
    expect(manager.getProcessStatus(id).memory).toBeGreaterThan(9)
    await manager.stopProcess(id)
    expect(manager.getProcessStatus(id)).toMatchObject({ cpu: 0, memory: 0, uptime: 0 })
  })
})

// A process is looked at through a descriptor that stays open.
function isLookedAt (pid) {
  return fs.readdirSync('/proc/self/fd').some(fd => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`) === `/proc/${pid}/stat`
    } catch {
      return false // The descriptor of the listing itself.
    }
  })
}

describe('monitorInterval', () => {
  test('is how often a process is looked at without being asked', async () => {
    const manager = makeManager({ monitorInterval: 20 })
    const id = manager.spawnProcess({ command: fixture('say-ready') })
    const [{ pid }] = await events.once(manager, 'spawn')
    await until(() => isLookedAt(pid), 'the monitor has looked')
    await manager.stopProcess(id)
    expect(isLookedAt(pid)).toBe(false)
  })

  test('0 switches it off, and asking still gives fresh figures', async () => {
    const manager = makeManager({ monitorInterval: 0 })
    const asked = makeManager({ monitorInterval: 20 })
    manager.spawnProcess({ command: fixture('touch-memory'), args: ['20'] })
    const [{ pid }] = await events.once(manager, 'spawn')
    asked.spawnProcess({ command: fixture('say-ready') })
    const [{ pid: other }] = await events.once(asked, 'spawn')
    await until(() => isLookedAt(other), 'a monitor that is on has looked')
    expect(isLookedAt(pid)).toBe(false)
    await until(() => manager.listProcesses()[0].memory > 20, 'a list has fresh figures')
    expect(isLookedAt(pid)).toBe(true)
  })
})

describe('ProcessMetrics.getMetrics', () => {
  test('reads this process', async () => {
    const metrics = new ProcessMetrics()
    const figures = await metrics.getMetrics(process.pid)
    expect(Object.keys(figures)).toEqual(['cpu', 'memory'])
    expect(figures.cpu).toBeGreaterThan(0)
    expect(Math.abs(figures.memory - process.memoryUsage().rss / 2 ** 20)).toBeLessThan(30)
  })

  test('reads a process that somebody else started', async () => {
    const child = spawn(fixture('touch-memory'), ['32'], { stdio: ['ignore', 'pipe', 'ignore'] })
    await new Promise(resolve => child.stdout.once('data', resolve))
    const { memory } = await new ProcessMetrics().getMetrics(child.pid)
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    expect(memory).toBeGreaterThanOrEqual(32)
    expect(memory).toBeLessThan(44)
    expect(await new ProcessMetrics().getMetrics(child.pid)).toEqual({ cpu: 0, memory: 0 })
  })

  test('gives the cpu since the look before', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('burn-cpu') })
    const { pid } = manager.getProcessStatus(id)
    const metrics = new ProcessMetrics()
    await metrics.getMetrics(pid)
    const [before, began] = [cpuSeconds(pid), performance.now()]
    await wait(500)
    const { cpu } = await metrics.getMetrics(pid)
    const really = (cpuSeconds(pid) - before) / (performance.now() - began) * 1e5
    expect(cpu).toBeGreaterThan(really * 0.5)
    expect(cpu).toBeLessThan(really * 1.5 + 10)
    const stopped = exitOf(manager, id)
    await manager.stopProcess(id, 0)
    await stopped
    expect(await metrics.getMetrics(pid)).toEqual({ cpu: 0, memory: 0 })
  })

  test.each([[0], [-1], [1.5], [NaN], [Infinity], [2 ** 31], [2 ** 53]])('rejects %p', async pid => {
    const error = await new ProcessMetrics().getMetrics(pid).catch(error => error)
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE', message: expect.stringContaining('pid') })
  })

  test.each([[undefined], [null], ['1'], [{}], [1n], [Symbol('x')]])('rejects %p', async pid => {
    const error = await new ProcessMetrics().getMetrics(pid).catch(error => error)
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('pid') })
  })

  test('keeps no descriptor for each process that it was asked of', async () => {
    const metrics = new ProcessMetrics()
    const manager = makeManager()
    const start = count => Array.from({ length: count }, () => manager.spawnProcess({ command: fixture('say-ready') }))
    const pidOf = id => manager.getProcessStatus(id).pid
    const pids = start(50).map(pidOf)
    for (const pid of pids) await metrics.getMetrics(pid)
    expect(pids.every(isLookedAt)).toBe(true)
    await manager.stopAll(0)
    /* With each that comes it looks for two that have gone. */
    for (const pid of start(50).map(pidOf)) await metrics.getMetrics(pid)
    expect(pids.some(isLookedAt)).toBe(false)
  })
})

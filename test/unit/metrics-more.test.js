'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const ProcessMetrics = require('../../lib/process-metrics')
const { makeManager, startReady, exitOf, wrote } = require('../support/manager')
const { fixture } = require('../support/children')

const proc = (pid, name) => fs.readFileSync(`/proc/${pid}/${name}`, 'latin1')

function tree (pid) {
  const children = fs.readdirSync(`/proc/${pid}/task`).flatMap(task => proc(pid, `task/${task}/children`).split(' ').filter(Boolean))
  return [pid, ...children.flatMap(child => tree(Number(child)))]
}

const sum = (pids, of) => pids.reduce((all, pid) => all + of(pid), 0)
const numberIn = (pid, file, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(proc(pid, file))[1])
const switches = (pid, kind) =>
  fs.readdirSync(`/proc/${pid}/task`).reduce((all, task) => all + numberIn(pid, `task/${task}/status`, `${kind}_ctxt_switches`), 0)

/* A shell that runs a shell that runs what touches memory. */
const chain = { command: 'sh', args: ['-c', `sh -c '${fixture('touch-memory')} 40; exit 0'; exit 0`] }

const fields = [
  'cpu', 'memory', 'own', 'processes', 'threads', 'peakMemory', 'userCPUTime', 'systemCPUTime', 'openDescriptors',
  'voluntaryContextSwitches', 'involuntaryContextSwitches', 'bytesRead', 'bytesWritten', 'pss'
]

describe('getProcessMetrics', () => {
  test('sums up what the kernel says of each', async () => {
    const manager = makeManager()
    const id = await startReady(manager, chain)
    const { pid } = manager.getProcessStatus(id)
    const pids = tree(pid)
    expect(pids).toHaveLength(3)
    /* They only grow, and some may while this is looked at. */
    const counts = () => ({
      voluntaryContextSwitches: sum(pids, pid => switches(pid, 'voluntary')),
      involuntaryContextSwitches: sum(pids, pid => switches(pid, 'nonvoluntary')),
      bytesRead: sum(pids, pid => numberIn(pid, 'io', 'read_bytes')),
      bytesWritten: sum(pids, pid => numberIn(pid, 'io', 'write_bytes'))
    })
    const before = counts()
    const metrics = await manager.getProcessMetrics(id, { pss: true })
    const after = counts()
    expect(Object.keys(metrics)).toEqual(fields)
    expect(metrics.processes).toBe(3)
    expect(metrics.threads).toBe(3)
    expect(metrics.openDescriptors).toBe(sum(pids, pid => fs.readdirSync(`/proc/${pid}/fd`).length))
    for (const name of Object.keys(before)) {
      expect(metrics[name]).toBeGreaterThanOrEqual(before[name])
      expect(metrics[name]).toBeLessThanOrEqual(after[name])
    }
    const pss = sum(pids, pid => numberIn(pid, 'smaps_rollup', 'Pss')) / 1024
    expect(Math.abs(metrics.pss - pss)).toBeLessThan(Math.max(0.5, pss * 0.02))
    expect(metrics.pss).toBeGreaterThan(40)
    expect(metrics.peakMemory).toBeGreaterThan(40)
    expect(metrics.own.memory).toBeLessThan(40)
  })

  test('finds out pss only when it is asked to', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    expect(await manager.getProcessMetrics(id)).toMatchObject({ pss: null, processes: 1 })
    expect(await manager.getProcessMetrics(id, { pss: false })).toMatchObject({ pss: null })
  })

  test('tells what all has used after the end, and nothing else', async () => {
    const manager = makeManager()
    const burn = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', `sh -c '${burn}; exit 0'; ${burn}; echo ready; read x`] })
    await wrote(manager, id, 'ready\n')
    const alive = await manager.getProcessMetrics(id)
    manager.closeStdin(id)
    const { resourceUsage } = await exitOf(manager, id)
    const ended = await manager.getProcessMetrics(id)
    expect(Object.keys(ended)).toEqual(fields)
    expect(ended).toMatchObject({
      cpu: 0, memory: 0, own: { cpu: 0, memory: 0 }, processes: 0, threads: 0, openDescriptors: null,
      voluntaryContextSwitches: null, involuntaryContextSwitches: null, bytesRead: null, bytesWritten: null, pss: null
    })
    const used = ({ userCPUTime, systemCPUTime }) => userCPUTime + systemCPUTime
    if (resourceUsage) expect(used(ended)).toBeGreaterThanOrEqual(used(resourceUsage))
    expect(used(ended)).toBeGreaterThanOrEqual(used(alive))
    expect(ended.peakMemory).toBeGreaterThan(0)
  })

  test('has all at zero before anything ran, and nothing for an unknown id', async () => {
    const manager = makeManager()
    manager.on('error', () => {})
    const id = manager.spawnProcess({ command: '/none' })
    expect(await manager.getProcessMetrics(id)).toMatchObject({ cpu: 0, memory: 0, peakMemory: 0, userCPUTime: 0, openDescriptors: null })
    for (const other of ['nobody', '', undefined, 7]) expect(await manager.getProcessMetrics(other)).toBe(undefined)
    await manager.cleanup()
    expect(await manager.getProcessMetrics(id)).toBe(undefined)
  })

  test.each([[null, 'options'], [true, 'options'], [{ pss: 1 }, 'options.pss']])('rejects %p', async (options, name) => {
    const error = await makeManager().getProcessMetrics('x', options).catch(error => error)
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining(name) })
  })

  test('of a large tree does not hold up the loop, also when it ends meanwhile', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('fork-levels'), args: ['6', '3', 'stay'] })
    let turns = 0
    let counting
    const turn = () => {
      turns++
      counting = setImmediate(turn)
    }
    turn()
    const { processes, openDescriptors } = await manager.getProcessMetrics(id, { pss: true })
    expect(processes).toBe(259)
    expect(openDescriptors).toBeGreaterThan(259)
    expect(turns).toBeGreaterThan(10)
    const pending = [manager.getProcessMetrics(id, { pss: true }), manager.stopProcess(id, 0), manager.getProcessMetrics(id)]
    const [during, stopped] = await Promise.all(pending)
    clearImmediate(counting)
    expect(stopped).toBe(true)
    expect(during.processes).toBeGreaterThanOrEqual(0)
    expect(during.processes).toBeLessThanOrEqual(259)
  })

  test('may be under way when its thread ends', async () => {
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      const ProcessManager = require(workerData.lib)
      const ProcessMetrics = require(workerData.metrics)
      const manager = new ProcessManager()
      const id = manager.spawnProcess({ command: workerData.command, args: ['6', '2', 'stay'] })
      manager.on('stdout', () => {
        const metrics = new ProcessMetrics()
        const { pid } = manager.getProcessStatus(id)
        for (let i = 0; i < 20; i++) {
          manager.getProcessMetrics(id, { pss: true })
          metrics.getProcessMetrics(pid, { pss: true })
          metrics.getMetrics(pid)
        }
        parentPort.postMessage('asked')
      })`
    const lib = path.join(__dirname, '..', '..', 'lib')
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(source, {
        eval: true,
        workerData: { lib: path.join(lib, 'process-manager'), metrics: path.join(lib, 'process-metrics'), command: fixture('fork-levels') }
      })
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
      await worker.terminate()
    }
  })
})

describe('ProcessMetrics.getProcessMetrics', () => {
  test('tells the same of any process', async () => {
    const metrics = await new ProcessMetrics().getProcessMetrics(process.pid, { pss: true })
    expect(Object.keys(metrics)).toEqual(fields)
    expect(metrics.own.memory).toBeGreaterThan(20)
    expect(metrics.threads).toBeGreaterThan(4)
    expect(metrics.peakMemory).toBeGreaterThan(metrics.own.memory * 0.9)
  })

  test('has nothing for who is not there, and rejects what is no pid', async () => {
    expect(await new ProcessMetrics().getProcessMetrics(2 ** 31 - 1)).toBe(undefined)
    await expect(new ProcessMetrics().getProcessMetrics(0)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await expect(new ProcessMetrics().getProcessMetrics('1')).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(new ProcessMetrics().getProcessMetrics(1, 1)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })
})

'use strict'

const { makeManager, once, exitOf, startReady, run, inEffect } = require('../support/manager')
const { fixture } = require('../support/children')

const fields = ['pid', 'status', 'state', 'containment', 'uptime', 'cpu', 'memory', 'own', 'processes', 'restarts', 'queuePosition', 'exitCode', 'exitSignal', 'error', 'output']
const containment = inEffect('tree')
const silent = { lines: 0, bytes: 0, droppedLines: 0, cutBytes: 0 }
const output = { stdout: { ...silent, paused: false }, stderr: silent }
const atRest = { pid: 0, uptime: 0, cpu: 0, memory: 0, own: { cpu: 0, memory: 0 }, processes: 0, queuePosition: null }

describe('getProcessStatus', () => {
  test('of an unknown id is exactly this', () => {
    expect(makeManager().getProcessStatus('nobody'))
      .toStrictEqual({ pid: 0, status: 'unknown', uptime: 0, cpu: 0, memory: 0, restarts: 0 })
  })

  test('has all fields in every state', async () => {
    const manager = makeManager()
    const running = await startReady(manager, { command: fixture('ignore-term') })
    const { id: exited } = await run(manager, { command: fixture('exit-with'), args: ['3'] })
    const failed = manager.spawnProcess({ command: '/none' })
    const backoff = manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true })
    await once(manager, 'backoff')
    const stopping = await startReady(manager, { command: fixture('ignore-term') })
    manager.stopProcess(stopping, Infinity)
    for (const id of [running, exited, failed, backoff, stopping]) {
      expect(Object.keys(manager.getProcessStatus(id)).sort()).toEqual([...fields].sort())
    }
  })

  test('while it runs', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const status = manager.getProcessStatus(id)
    expect(status).toEqual({
      pid: expect.any(Number), status: 'running', state: 'running', containment, uptime: expect.any(Number),
      cpu: expect.any(Number), memory: expect.any(Number), own: { cpu: status.cpu, memory: status.memory }, processes: 1, restarts: 0, queuePosition: null, exitCode: null, exitSignal: null, error: null,
      output: { ...output, stdout: { ...output.stdout, lines: 1, bytes: 5 } }
    })
    expect(status.pid).toBeGreaterThan(1)
    expect(() => process.kill(status.pid, 0)).not.toThrow()
    expect(status.memory).toBeGreaterThan(0)
  })

  test('after an exit, by code and by signal', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: fixture('exit-with'), args: ['3'] })
    const rest = { ...atRest, status: 'stopped', state: 'exited', containment, restarts: 0, error: null, output }
    expect(manager.getProcessStatus(id)).toEqual({ ...rest, exitCode: 3, exitSignal: null })
    const { id: killed } = await run(manager, { command: fixture('die-by'), args: ['15'] })
    expect(manager.getProcessStatus(killed)).toEqual({ ...rest, exitCode: null, exitSignal: 'SIGTERM' })
  })

  test('when it could not be started', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: '/none' })
    const { error } = await once(manager, 'error')
    const status = manager.getProcessStatus(id)
    expect(status).toEqual({
      ...atRest, status: 'error', state: 'failed', containment, restarts: 0, exitCode: null, exitSignal: null,
      error: expect.any(Error), output
    })
    expect(status.error).toBeInstanceOf(Error)
    expect({ ...status.error, message: status.error.message }).toEqual({ ...error, message: error.message })
  })

  test('within the exit event is already that of an ended process', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['3'] })
    const status = await new Promise(resolve => manager.once('exit', () => resolve(manager.getProcessStatus(id))))
    expect(status).toMatchObject({ pid: 0, status: 'stopped', exitCode: 3 })
  })

  test('keeps the last end while it runs again', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: fixture('exit-with'), args: ['3', '100'] })
    await manager.restartProcess(id)
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'running', restarts: 1, exitCode: 3 })
  })
})

describe('uptime', () => {
  test('is in seconds since the present start', async () => {
    const manager = makeManager()
    const began = performance.now()
    const id = await startReady(manager, { command: fixture('say-ready') })
    await new Promise(resolve => setTimeout(resolve, 120))
    const { uptime } = manager.getProcessStatus(id)
    expect(uptime).toBeGreaterThanOrEqual(0.119)
    expect(uptime).toBeLessThanOrEqual((performance.now() - began) / 1000)
    await manager.restartProcess(id)
    expect(manager.getProcessStatus(id).uptime).toBeLessThan(uptime)
  })

  test('is 0 when it does not run', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    await manager.stopProcess(id)
    expect(manager.getProcessStatus(id).uptime).toBe(0)
  })
})

describe('listProcesses', () => {
  test('is empty at first, and a new array each time', () => {
    const manager = makeManager()
    expect(manager.listProcesses()).toEqual([])
    expect(manager.listProcesses()).not.toBe(manager.listProcesses())
    expect(manager.listProcesses()).toBeInstanceOf(Array)
  })

  test('has the documented fields', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const [entry] = manager.listProcesses()
    expect(entry).toMatchObject({
      id, pid: manager.getProcessStatus(id).pid, status: 'running', command: fixture('say-ready'), state: 'running', containment,
      restarts: 0, exitCode: null, exitSignal: null
    })
    expect(entry.memory).toBeGreaterThan(0)
    expect(entry.uptime).toBeGreaterThan(0)
  })

  test('shows the command as it was given', async () => {
    const manager = makeManager()
    manager.spawnProcess({ command: 'sleep', args: ['100'] })
    expect(manager.listProcesses()[0].command).toBe('sleep')
  })

  test('is in the order of spawning, which a restart does not change', async () => {
    const manager = makeManager()
    const order = () => manager.listProcesses().map(({ id }) => id)
    for (const id of ['c', 'a', 'b']) manager.spawnProcess({ id, command: fixture('say-ready') })
    manager.spawnProcess({ id: 'none', command: '/none' })
    expect(order()).toEqual(['c', 'a', 'b', 'none'])
    await manager.restartProcess('c')
    await manager.stopProcess('a')
    expect(order()).toEqual(['c', 'a', 'b', 'none'])
    manager.removeProcess('a')
    manager.spawnProcess({ id: 'a', command: fixture('say-ready') })
    expect(order()).toEqual(['c', 'b', 'none', 'a'])
    manager.on('error', () => {})
  })

  test('shows ended processes too, with their status', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] })
    await exitOf(manager, id)
    expect(manager.listProcesses()).toEqual([expect.objectContaining({ id, pid: 0, status: 'stopped', uptime: 0 })])
  })
})

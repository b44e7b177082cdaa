'use strict'

const { makeManager, record, once, exitOf, startReady, run, thrownBy } = require('../support/manager')
const { fixture } = require('../support/children')

const alive = { command: fixture('say-ready') }
const short = { command: fixture('exit-with'), args: ['0'] }

describe('maxProcesses', () => {
  test('is 100 by default', async () => {
    const manager = makeManager()
    for (let i = 0; i < 100; i++) manager.spawnProcess(alive)
    const error = thrownBy(() => manager.spawnProcess(alive))
    expect(error).toBeInstanceOf(Error)
    expect(error.message).toBe('Process limit (100) exceeded')
    expect(error.code).toBe('ERR_PROCESS_LIMIT')
    expect(manager.listProcesses()).toHaveLength(100)
    expect(manager.listProcesses().every(({ status }) => status === 'running')).toBe(true)
    await manager.stopAll(0)
    expect(manager.spawnProcess(alive)).toBe('proc_1100')
  })

  test('names its number, and says so by an event', async () => {
    const manager = makeManager({ maxProcesses: 2 })
    manager.spawnProcess(alive)
    manager.spawnProcess(alive)
    const seen = record(manager, ['limit'])
    expect(thrownBy(() => manager.spawnProcess(alive)).message).toBe('Process limit (2) exceeded')
    expect(await once(manager, 'limit')).toEqual({ limit: 'maxProcesses', value: 2, seen: 2, action: 'refuse' })
    expect(seen).toHaveLength(1)
  })

  test('does not count ended processes', async () => {
    const manager = makeManager({ maxProcesses: 1 })
    for (let i = 0; i < 5; i++) await run(manager, short)
    manager.spawnProcess({ command: '/none' })
    manager.spawnProcess(alive)
    expect(manager.listProcesses()).toHaveLength(7)
    expect(thrownBy(() => manager.spawnProcess(short)).message).toBe('Process limit (1) exceeded')
    manager.on('error', () => {})
  })

  test('counts what is being stopped until it is gone', async () => {
    const manager = makeManager({ maxProcesses: 1 })
    const id = await startReady(manager, { command: fixture('ignore-term') })
    const stopped = manager.stopProcess(id, Infinity)
    expect(thrownBy(() => manager.spawnProcess(short)).code).toBe('ERR_PROCESS_LIMIT')
    await manager.stopProcess(id, 0)
    await stopped
    await run(manager, short)
  })

  test('counts what waits for a restart', async () => {
    const manager = makeManager({ maxProcesses: 1 })
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, restartDelay: 60000 })
    await once(manager, 'backoff')
    expect(thrownBy(() => manager.spawnProcess(short)).code).toBe('ERR_PROCESS_LIMIT')
    await manager.stopProcess(id)
    await run(manager, short)
  })

  test('holds for restartProcess of an ended process too, not for one that lives', async () => {
    const manager = makeManager({ maxProcesses: 1 })
    const { id } = await run(manager, short)
    const living = await startReady(manager, alive)
    const error = await manager.restartProcess(id).catch(error => error)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ code: 'ERR_PROCESS_LIMIT', message: 'Process limit (1) exceeded' })
    expect(manager.getProcessStatus(id)).toMatchObject({ state: 'exited', restarts: 0 })
    expect(await manager.restartProcess(living)).toBe(true)
  })

  test('refuses before anything else happens: the id of an ended process stays its own', async () => {
    const manager = makeManager({ maxProcesses: 1 })
    await run(manager, { ...short, id: 'old' })
    await startReady(manager, alive)
    expect(thrownBy(() => manager.spawnProcess({ ...alive, id: 'old' })).code).toBe('ERR_PROCESS_LIMIT')
    expect(manager.getProcessStatus('old')).toMatchObject({ status: 'stopped', exitCode: 0 })
  })

  test('belongs to one manager', () => {
    const managers = [makeManager({ maxProcesses: 1 }), makeManager({ maxProcesses: 1 })]
    for (const manager of managers) expect(manager.spawnProcess(alive)).toBe('proc_1000')
  })
})

describe('maxEnded', () => {
  test('is how many ended processes are remembered; the oldest goes first', async () => {
    const manager = makeManager({ maxEnded: 2 })
    for (const id of ['a', 'b', 'c', 'd']) await run(manager, { ...short, id })
    expect(manager.listProcesses().map(({ id }) => id)).toEqual(['c', 'd'])
    expect(manager.getProcessStatus('a').status).toBe('unknown')
    expect(await manager.stopProcess('a')).toBe(false)
  })

  test('goes by the order of ending, and leaves the living alone', async () => {
    const manager = makeManager({ maxEnded: 1 })
    const first = await startReady(manager, { ...alive, id: 'first' })
    await run(manager, { ...short, id: 'second' })
    await manager.stopProcess(first)
    expect(manager.listProcesses().map(({ id }) => id)).toEqual(['first'])
  })

  test('counts those that could not be started', async () => {
    const manager = makeManager({ maxEnded: 1 })
    manager.on('error', () => {})
    for (const id of ['a', 'b']) manager.spawnProcess({ id, command: '/none' })
    await once(manager, 'error')
    expect(manager.listProcesses().map(({ id }) => id)).toEqual(['b'])
  })

  test('0 remembers none, though their events come', async () => {
    const manager = makeManager({ maxEnded: 0 })
    const { exit, id, stdout } = await run(manager, { command: 'echo', args: ['x'] })
    expect([exit.code, stdout]).toEqual([0, 'x\n'])
    expect(manager.getProcessStatus(id).status).toBe('unknown')
    expect(manager.listProcesses()).toEqual([])
    const error = once(manager, 'error')
    const bad = manager.spawnProcess({ command: '/none' })
    expect((await error).processId).toBe(bad)
  })

  test('does not forget what is given a new start in time', async () => {
    const manager = makeManager({ maxEnded: 1 })
    await run(manager, { ...short, id: 'a' })
    const exit = exitOf(manager, 'a')
    await manager.restartProcess('a')
    await exit
    expect(manager.getProcessStatus('a')).toMatchObject({ state: 'exited', restarts: 1 })
  })
})

describe('removeProcess', () => {
  test('forgets an ended process, once', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: 'echo', args: ['x'] })
    expect([manager.removeProcess(id), manager.removeProcess(id)]).toEqual([true, false])
    expect(manager.listProcesses()).toEqual([])
    expect(manager.getProcessStatus(id).status).toBe('unknown')
    expect(manager.getProcessLogs(id).stdout).toEqual([])
  })

  test('is false while it lives, in whatever state', async () => {
    const manager = makeManager()
    const running = await startReady(manager, { command: fixture('ignore-term') })
    expect(manager.removeProcess(running)).toBe(false)
    const stopped = manager.stopProcess(running, Infinity)
    expect(manager.removeProcess(running)).toBe(false)
    const waiting = manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true })
    await once(manager, 'backoff')
    expect(manager.removeProcess(waiting)).toBe(false)
    await Promise.all([manager.stopAll(0), stopped])
    expect([manager.removeProcess(running), manager.removeProcess(waiting)]).toEqual([true, true])
  })
})

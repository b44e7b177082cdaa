'use strict'

const { makeManager, record, once, exitOf, wrote, startReady } = require('../support/manager')
const { fixture, isAlive, look, until } = require('../support/children')

/** Starts a program that has a grandchild, and gives [id, pid of the grandchild]. */
async function startFamily (manager, mode, config = {}) {
  const id = manager.spawnProcess({ command: fixture('spawn-grandchild'), args: [mode], ...config })
  const { data } = await wrote(manager, id, 'grandchild')
  return [id, Number(/grandchild (\d+)/.exec(data)[1])]
}

describe('stopProcess', () => {
  test('sends SIGTERM first', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['1'] })
    const [ending, stop] = [wrote(manager, id, 'ending'), once(manager, 'stop')]
    expect(await manager.stopProcess(id)).toBe(true)
    await ending
    expect(await stop).toEqual({
      processId: id, stopped: true, step: 'SIGTERM', code: 0, signal: null, duration: expect.any(Number), killed: 0, left: 0,
      survivors: []
    })
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', state: 'exited', pid: 0, exitCode: 0 })
  })

  test('is true once the process is gone, and the exit event is out by then', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const { pid } = manager.getProcessStatus(id)
    const seen = record(manager)
    expect(await manager.stopProcess(id)).toBe(true)
    expect(isAlive(pid)).toBe(false)
    expect(look(pid)).toBeUndefined()
    expect(seen.map(([name]) => name)).toEqual(['exit', 'stop'])
    expect(seen[0][1].requested).toBe(true)
    expect(seen[0][1]).toMatchObject({ code: null, signal: 'SIGTERM', pid })
  })

  test('sends SIGKILL after the timeout', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('ignore-term') })
    const stop = once(manager, 'stop')
    const began = performance.now()
    expect(await manager.stopProcess(id, 150)).toBe(true)
    expect(performance.now() - began).toBeGreaterThanOrEqual(149)
    expect(await stop).toMatchObject({ stopped: true, step: 'SIGKILL', signal: 'SIGKILL', code: null, killed: 1, left: 0 })
    expect((await stop).duration).toBeGreaterThanOrEqual(149)
    expect(manager.getProcessStatus(id).exitSignal).toBe('SIGKILL')
  })

  test('sends SIGKILL at once when the timeout is 0', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['10000'] })
    const exit = exitOf(manager, id)
    expect(await manager.stopProcess(id, 0)).toBe(true)
    expect((await exit).signal).toBe('SIGKILL')
    expect(manager.getProcessLogs(id).stdout).toEqual(['ready'])
  })

  test("uses the process's stopTimeout, then the manager's, without an argument", async () => {
    const manager = makeManager({ stopTimeout: 60 })
    for (const [config, least] of [[{}, 60], [{ stopTimeout: 200 }, 200]]) {
      const id = await startReady(manager, { command: fixture('ignore-term'), ...config })
      const stop = once(manager, 'stop')
      await manager.stopProcess(id)
      const { step, duration } = await stop
      expect(step).toBe('SIGKILL')
      expect(duration).toBeGreaterThanOrEqual(least - 1)
      expect(duration).toBeLessThan(5000)
    }
  })

  test('waits for ever when the timeout is infinite', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['300'], stopTimeout: 1 })
    expect(await manager.stopProcess(id, Infinity)).toBe(true)
    expect(manager.getProcessStatus(id).exitCode).toBe(0)
  })

  test('is false for an unknown id and true for an ended process', async () => {
    const manager = makeManager()
    expect(await manager.stopProcess('nobody')).toBe(false)
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['7'] })
    await exitOf(manager, id)
    const seen = record(manager)
    expect(await manager.stopProcess(id)).toBe(true)
    expect(await manager.stopProcess(id, 0)).toBe(true)
    expect(seen).toEqual([])
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', exitCode: 7 })
  })

  test('wakes what is stopped by SIGSTOP, so that it acts on SIGTERM', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('stop-itself') })
    const { pid } = manager.getProcessStatus(id)
    await until(() => look(pid).state === 'T', 'the child stands still')
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id)).toBe(true)
    expect(await stop).toMatchObject({ step: 'SIGTERM', signal: 'SIGTERM' })
  })

  test('is under way when it returns: the state is stopping, no restart follows', async () => {
    const manager = makeManager({ autoRestart: true, restartDelay: 1 })
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['50'], autoRestart: true })
    const seen = record(manager)
    const stopped = manager.stopProcess(id)
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', state: 'stopping' })
    expect(manager.getProcessStatus(id).pid).toBeGreaterThan(0)
    expect(await stopped).toBe(true)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(seen.map(([name]) => name)).toEqual(['exit', 'stop'])
  })
})

describe('a second stopProcess', () => {
  test('joins the first', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['50'] })
    const seen = record(manager)
    const results = await Promise.all([manager.stopProcess(id), manager.stopProcess(id), manager.stopProcess(id, Infinity)])
    expect(results).toEqual([true, true, true])
    expect(seen.map(([name]) => name)).toEqual(['exit', 'stop'])
    expect(seen[0][1]).toMatchObject({ code: 0 })
  })

  test('with less time hurries', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('ignore-term') })
    const first = manager.stopProcess(id, Infinity)
    expect(await manager.stopProcess(id, 20)).toBe(true)
    expect(await first).toBe(true)
    expect(manager.getProcessStatus(id).exitSignal).toBe('SIGKILL')
  })

  test('with 0 kills at once', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('ignore-term') })
    const first = manager.stopProcess(id, 60000)
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id, 0)).toBe(true)
    expect(await first).toBe(true)
    expect((await stop).duration).toBeLessThan(10000)
  })

  test('with more time does not slow the first down', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('ignore-term') })
    const stop = once(manager, 'stop')
    await Promise.all([manager.stopProcess(id, 50), manager.stopProcess(id, 60000)])
    expect((await stop).duration).toBeLessThan(10000)
  })
})

describe('what the command started', () => {
  test.each([['stay', 'SIGTERM'], ['ignore-term', 'SIGKILL'], ['hold-stdout', 'SIGTERM'], ['flood-stdout', 'SIGTERM']])(
    'ends with it: %s', async (mode, step) => {
      const manager = makeManager()
      const [id, grandchild] = await startFamily(manager, mode)
      const stop = once(manager, 'stop')
      expect(await manager.stopProcess(id, step === 'SIGKILL' ? 100 : 20000)).toBe(true)
      expect(isAlive(grandchild)).toBe(false)
      expect(await stop).toMatchObject({ stopped: true, step, survivors: [] })
    })

  test.each([['stay'], ['ignore-term'], ['hold-stdout'], ['flood-stdout']])(
    'ends when the command ended by itself: %s', async mode => {
      const manager = makeManager({ stopTimeout: 50 })
      const id = manager.spawnProcess({ command: fixture('spawn-grandchild'), args: [mode, '3'] })
      const [{ data }, exit] = await Promise.all([wrote(manager, id, 'grandchild'), exitOf(manager, id)])
      expect(exit.code).toBe(3)
      const grandchild = Number(/grandchild (\d+)/.exec(data)[1])
      expect(await manager.stopProcess(id)).toBe(true)
      expect(isAlive(grandchild)).toBe(false)
    })

  test('holds the end of a stop back until it is gone', async () => {
    const manager = makeManager()
    const [id, grandchild] = await startFamily(manager, 'ignore-term')
    const exit = exitOf(manager, id)
    const stopped = manager.stopProcess(id, 60000)
    await exit
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', state: 'stopping', pid: 0 })
    expect(isAlive(grandchild)).toBe(true)
    expect(await manager.stopProcess(id, 0)).toBe(true)
    expect(await stopped).toBe(true)
    expect(isAlive(grandchild)).toBe(false)
  })

  test('in a session of its own is out of reach without a keeper, and does not hold up a stop, though it holds stdout', async () => {
    const manager = makeManager()
    const [id, grandchild] = await startFamily(manager, 'setsid', { containment: 'group' })
    expect(await manager.stopProcess(id)).toBe(true)
    process.kill(grandchild, 'SIGKILL')
    await until(() => !isAlive(grandchild), 'the daemon is gone')
  })
})

describe('stopAll', () => {
  test('ends all at once, not one after the other', async () => {
    const manager = makeManager()
    const ids = await Promise.all(Array.from({ length: 10 }, () => startReady(manager, { command: fixture('ignore-term') })))
    const began = performance.now()
    expect(await manager.stopAll(500)).toBeUndefined()
    const took = performance.now() - began
    expect(took).toBeGreaterThanOrEqual(499)
    expect(took).toBeLessThan(5000)
    for (const id of ids) expect(manager.getProcessStatus(id)).toMatchObject({ state: 'exited', exitSignal: 'SIGKILL' })
  })

  test('resolves with nothing to stop, and uses stopTimeout without an argument', async () => {
    const manager = makeManager({ stopTimeout: 50 })
    await manager.stopAll()
    const id = await startReady(manager, { command: fixture('ignore-term') })
    await manager.stopAll()
    expect(manager.getProcessStatus(id).exitSignal).toBe('SIGKILL')
    expect(manager.listProcesses()).toHaveLength(1)
  })

  test('leaves the manager as good as before', async () => {
    const manager = makeManager()
    manager.spawnProcess({ command: fixture('say-ready') })
    await manager.stopAll(0)
    await startReady(manager, { command: fixture('say-ready') })
  })
})

describe('a stop at any moment', () => {
  test('right after the spawn', async () => {
    const manager = makeManager()
    const seen = record(manager)
    const id = manager.spawnProcess({ command: fixture('say-ready') })
    expect(await manager.stopProcess(id)).toBe(true)
    expect(seen.map(([name]) => name)).toEqual(['spawn', 'exit', 'stop'])
  })

  test('of a command that could not be started, before its error event', async () => {
    const manager = makeManager()
    const seen = record(manager)
    const id = manager.spawnProcess({ command: '/none' })
    expect(await manager.stopProcess(id)).toBe(true)
    expect(seen.map(([name]) => name)).toEqual(['error'])
  })

  test('during the wait for a restart: nothing is started any more', async () => {
    const manager = makeManager({ restartDelay: 60 })
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true })
    await once(manager, 'backoff')
    const stop = once(manager, 'stop')
    const seen = record(manager)
    expect(await manager.stopProcess(id)).toBe(true)
    expect(await stop).toMatchObject({ stopped: true, step: 'none', duration: 0, killed: 0, left: 0, survivors: [] })
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', state: 'exited', exitCode: 1 })
    await new Promise(resolve => setTimeout(resolve, 150))
    expect(seen.map(([name]) => name)).toEqual(['stop'])
  })

  test('during a restart takes the restart back', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['50'] })
    const restarted = manager.restartProcess(id)
    expect(await manager.stopProcess(id)).toBe(true)
    expect(await restarted).toBe(false)
    expect(manager.getProcessStatus(id)).toMatchObject({ state: 'exited', restarts: 0 })
  })
})

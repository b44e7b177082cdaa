'use strict'

// limits.memory of a tree, maxTotalMemory of all.

const { makeManager, record, once, exitOf, startReady, thrownBy, wrote } = require('../support/manager')
const { fixture, until } = require('../support/children')

const MB = 2 ** 20

/** Everything that a manager tells of a process, in order. */
const namesOf = seen => seen.map(([name]) => name)

/** Makes hold-memory hold so much, and waits until it does. */
async function hold (manager, id, megabytes) {
  const done = wrote(manager, id, `${megabytes}\n`)
  manager.writeStdin(id, `${megabytes}\n`)
  await done
}

const holds = { command: fixture('hold-memory') }
const touches = megabytes => ({ command: fixture('touch-memory'), args: [String(megabytes)] })

describe('limits.memory', () => {
  test('restart: ended, and started again as after a failure, until maxRestarts', async () => {
    const manager = makeManager({ limits: { memory: 32 * MB }, restartDelay: 1, maxRestarts: 2 })
    const seen = record(manager)
    const id = manager.spawnProcess(touches(80))
    await once(manager, 'error')
    const round = ['limit', 'exit', 'backoff', 'spawn', 'restart']
    expect(namesOf(seen)).toEqual(['spawn', ...round, ...round, 'limit', 'exit', 'limit', 'error'])
    const limit = seen.find(([name]) => name === 'limit')[1]
    expect(limit).toEqual({ processId: id, limit: 'limits.memory', value: 32 * MB, seen: expect.any(Number), action: 'restart' })
    expect(limit.seen).toBeGreaterThanOrEqual(32 * MB)
    expect(limit.seen).toBeLessThan(100 * MB)
    for (const [name, exit] of seen) {
      if (name === 'exit') expect(exit).toMatchObject({ limit: 'limits.memory', requested: false, signal: 'SIGTERM' })
    }
    expect(seen.at(-2)[1]).toEqual({ processId: id, limit: 'maxRestarts', value: 2, seen: 2, action: 'give-up' })
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'error', restarts: 2 })
    expect(manager.getProcessStatus(id).error.message).toContain('ended for limits.memory')
  })

  test('stop: the whole tree, and for good', async () => {
    const manager = makeManager({ autoRestart: true, restartDelay: 1 })
    const seen = record(manager)
    // All of it is less than a quarter more: one that grew by that would be killed at once.
    const limits = { memory: 176 * MB, memoryAction: 'stop' }
    const id = manager.spawnProcess({ command: fixture('fork-memory'), args: ['12', '16', '0'], limits })
    const stop = await once(manager, 'stop')
    expect(namesOf(seen)).toEqual(['spawn', 'limit', 'exit', 'stop'])
    expect(seen[1][1]).toMatchObject({ limit: 'limits.memory', value: 176 * MB, action: 'stop' })
    expect(seen[1][1].seen).toBeGreaterThanOrEqual(176 * MB)
    expect(stop).toMatchObject({ stopped: true, step: 'SIGTERM', left: 0 })
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', state: 'exited', error: null })
    expect(await manager.restartProcess(id)).toBe(true)
  })

  test('metrics tell of the limit, and of an end that nobody asked for', async () => {
    const manager = makeManager({ limits: { memory: 32 * MB, memoryAction: 'stop' } })
    const id = manager.spawnProcess({ ...touches(60), id: 'over' })
    await once(manager, 'stop', ({ processId }) => processId === id)
    const lines = (await manager.metricsText()).split('\n')
    expect(lines).toContain(`mcp_process_limit_memory_bytes{id="over"} ${32 * MB}`)
    expect(lines).toContain('mcp_process_limits_reached_total{id="over"} 1')
    expect(lines).toContain('mcp_process_exits_total{id="over",outcome="limit"} 1')
    expect(lines).toContain('mcp_process_exits_total{id="over",outcome="requested"} 0')
  })

  test('event: told once a crossing, and nothing is done', async () => {
    const manager = makeManager()
    const seen = record(manager, ['limit', 'exit'])
    const id = await startReady(manager, { ...holds, limits: { memory: 48 * MB, memoryAction: 'event' } })
    await hold(manager, id, 60)
    await until(() => seen.length > 0, 'the event')
    await hold(manager, id, 70)
    await new Promise(resolve => setTimeout(resolve, 700))
    expect(seen.map(([, { action }]) => action)).toEqual(['event'])
    expect(manager.getProcessStatus(id).state).toBe('running')
  })

  test('what processes share counts once', async () => {
    const manager = makeManager({ limits: { memory: 64 * MB, memoryAction: 'stop' } })
    const seen = record(manager, ['limit'])
    const id = await startReady(manager, { command: fixture('fork-memory'), args: ['12', '0', '30'] })
    await until(() => manager.getProcessStatus(id).memory > 300, 'a look at all of them')
    await new Promise(resolve => setTimeout(resolve, 1500))
    expect(seen).toEqual([])
    expect(manager.getProcessStatus(id).state).toBe('running')
  })

  test('a fork bomb ends', async () => {
    const manager = makeManager({ monitorInterval: 0 })
    const limits = { memory: 48 * MB, memoryAction: 'stop' }
    const id = manager.spawnProcess({ command: fixture('fork-bomb'), args: ['500', '1'], limits })
    const stop = await once(manager, 'stop', ({ processId }) => processId === id)
    expect(stop).toMatchObject({ stopped: true, left: 0 })
  })

  test('what ignores SIGTERM and goes on growing is killed before its stopTimeout', async () => {
    const manager = makeManager({ stopTimeout: Infinity })
    const limits = { memory: 32 * MB, memoryAction: 'stop' }
    manager.spawnProcess({ command: fixture('grow-memory'), args: ['4', '30', 'ignore'], limits })
    expect(await once(manager, 'stop')).toMatchObject({ stopped: true, step: 'SIGKILL' })
  })

  test('a stop that is asked for meanwhile is final', async () => {
    const manager = makeManager({ limits: { memory: 32 * MB }, stopTimeout: Infinity, restartDelay: 1 })
    const seen = record(manager, ['exit', 'backoff', 'restart'])
    const id = manager.spawnProcess({ command: fixture('grow-memory'), args: ['40', '100000', 'ignore'] })
    await once(manager, 'limit')
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', state: 'stopping' })
    expect(await manager.stopProcess(id, 0)).toBe(true)
    expect(namesOf(seen)).toEqual(['exit'])
    expect(seen[0][1]).toMatchObject({ requested: true, limit: 'limits.memory' })
  })

  test('of the manager, that of a process first; Infinity is none', async () => {
    const manager = makeManager({ limits: { memory: 32 * MB, memoryAction: 'event' } })
    const seen = record(manager, ['limit'])
    await startReady(manager, { ...touches(60), id: 'none', limits: { memory: Infinity } })
    await startReady(manager, { ...touches(60), id: 'more', limits: { memory: 100 * MB } })
    await startReady(manager, { ...touches(60), id: 'over' })
    await until(() => seen.length > 0, 'the event')
    await new Promise(resolve => setTimeout(resolve, 600))
    expect(seen.map(([, { processId }]) => processId)).toEqual(['over'])
  })

  test.each([
    [{ memory: 1000 }, 'ERR_OUT_OF_RANGE', 'limits.memory must be an integer from 1048576 to Infinity; got 1000'],
    [{ memory: '1GB' }, 'ERR_INVALID_ARG_TYPE', 'limits.memory must be an integer; got "1GB"'],
    [{ memory: NaN }, 'ERR_OUT_OF_RANGE', 'got NaN'], [{ memory: 2 ** 21 + 0.5 }, 'ERR_OUT_OF_RANGE', 'limits.memory'],
    [{ memoryAction: 'kill' }, 'ERR_INVALID_ARG_VALUE', "limits.memoryAction must be one of 'restart', 'stop', 'event'; got \"kill\""],
    [{ memoryAction: 1 }, 'ERR_INVALID_ARG_TYPE', 'limits.memoryAction must be a string; got 1'],
    [{ memoryaction: 'stop' }, 'ERR_UNKNOWN_LIMIT', 'memoryaction']
  ])('refuses %p', (limits, code, words) => {
    const manager = makeManager()
    for (const act of [() => manager.spawnProcess({ command: 'true', limits }), () => makeManager({ limits })]) {
      const error = thrownBy(act)
      expect(error.code).toBe(code)
      expect(error.message).toContain(words)
    }
  })
})

describe('maxTotalMemory', () => {
  test('the largest tree is ended, the others go on', async () => {
    const manager = makeManager({ maxTotalMemory: 120 * MB, limits: { memoryAction: 'stop' } })
    const seen = record(manager, ['limit', 'exit'])
    for (const [id, megabytes] of [['small', 20], ['large', 60], ['middle', 25]]) {
      await startReady(manager, { ...holds, id })
      await hold(manager, id, megabytes)
    }
    expect(seen).toEqual([])
    await Promise.all([exitOf(manager, 'large'), hold(manager, 'small', 50)])
    expect(seen[0]).toEqual(['limit', {
      processId: 'large', limit: 'maxTotalMemory', value: 120 * MB, seen: expect.any(Number), action: 'stop'
    }])
    expect(seen[1][1]).toMatchObject({ processId: 'large', limit: 'maxTotalMemory', requested: false })
    await new Promise(resolve => setTimeout(resolve, 600))
    expect(manager.listProcesses().map(({ id, state }) => [id, state]))
      .toEqual([['small', 'running'], ['large', 'exited'], ['middle', 'running']])
  })

  test('with "restart" it comes back by its restart policy', async () => {
    const manager = makeManager({ maxTotalMemory: 60 * MB, restartDelay: 1 })
    const id = await startReady(manager, holds)
    manager.writeStdin(id, '90\n')
    await once(manager, 'restart')
    expect(manager.getProcessStatus(id)).toMatchObject({ state: 'running', restarts: 1 })
  })

  test('while it is reached nothing new is started, and the error says how much is used', async () => {
    const manager = makeManager({ maxTotalMemory: 60 * MB, limits: { memoryAction: 'event' } })
    const id = await startReady(manager, holds)
    const ended = manager.spawnProcess({ command: 'true' })
    await exitOf(manager, ended)
    const seen = record(manager, ['limit'])
    await hold(manager, id, 90)
    await until(() => seen.length > 0, 'the event')
    expect(seen[0][1])
      .toEqual({ limit: 'maxTotalMemory', value: 60 * MB, seen: expect.any(Number), action: 'event' })
    const error = thrownBy(() => manager.spawnProcess({ command: 'true' }))
    expect(error).toBeInstanceOf(Error)
    expect(error.code).toBe('ERR_MEMORY_LIMIT')
    expect(error.message).toMatch(/^Memory limit \(maxTotalMemory, 62914560 bytes\) exceeded: the processes use \d{8} bytes$/)
    await expect(manager.restartProcess(ended)).rejects.toMatchObject({ code: 'ERR_MEMORY_LIMIT' })
    await until(() => seen.length === 3, 'events')
    expect(seen.map(([, { action }]) => action)).toEqual(['event', 'refuse', 'refuse'])
    await hold(manager, id, 5)
    await until(() => {
      try {
        return manager.spawnProcess({ command: 'true' })
      } catch {
        return undefined
      }
    }, 'room')
  })

  test('it is the manager\'s: a process may not have one', () => {
    const manager = makeManager({ monitorInterval: 0 })
    manager.spawnProcess({ command: 'true', maxTotalMemory: -1 })
    expect(thrownBy(() => makeManager({ maxTotalMemory: 5 })).message)
      .toBe('options.maxTotalMemory must be an integer from 1048576 to Infinity; got 5')
  })
})


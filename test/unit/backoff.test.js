'use strict'

// The wait before a restart, read from the 'backoff' events.

const { makeManager, record, once } = require('../support/manager')
const { fixture } = require('../support/children')

const quick = { autoRestart: true, restartDelay: 1, maxRestartDelay: 2 }

/** Resolves when a process is given up, with all events until then. */
async function untilGivenUp (manager, config) {
  const seen = record(manager)
  manager.spawnProcess({ ...quick, ...config })
  await once(manager, 'error', ({ error }) => error.code === 'ERR_RESTART_LIMIT')
  return seen
}

describe('the wait before a restart', () => {
  async function delaysOf (config) {
    const seen = await untilGivenUp(makeManager(), { command: fixture('exit-with'), args: ['1'], ...config })
    return seen.filter(([name]) => name === 'backoff').map(([, { delay }]) => delay)
  }

  test('grows by the factor', async () => {
    const delays = await delaysOf({ restartDelay: 4, restartFactor: 3, maxRestartDelay: 30000, restartJitter: 0, maxRestarts: 4 })
    expect(delays).toEqual([4, 12, 36, 108])
  })

  test('is capped', async () => {
    const delays = await delaysOf({ restartDelay: 4, maxRestartDelay: 10, restartJitter: 0 })
    expect(delays).toEqual([4, 8, 10, 10, 10])
  })

  test('varies within the jitter, and is not always the same', async () => {
    const delays = await delaysOf({ restartDelay: 20, restartFactor: 1, maxRestartDelay: 20, restartJitter: 0.5, maxRestarts: 12 })
    for (const delay of delays) {
      expect(delay).toBeGreaterThanOrEqual(10)
      expect(delay).toBeLessThanOrEqual(30)
    }
    expect(new Set(delays).size).toBeGreaterThan(6)
  })

  test('is 1000, 2000, … by default', async () => {
    const manager = makeManager()
    manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true })
    const { delay, restarts } = await once(manager, 'backoff')
    expect(restarts).toBe(0)
    expect(delay).toBeGreaterThanOrEqual(900)
    expect(delay).toBeLessThanOrEqual(1100)
  })

  test('is kept', async () => {
    const manager = makeManager()
    manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, restartDelay: 200, restartJitter: 0 })
    await once(manager, 'backoff')
    const began = performance.now()
    await once(manager, 'restart')
    expect(performance.now() - began).toBeGreaterThanOrEqual(195)
  })

  test('is shown by the state', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['4'], autoRestart: true })
    await once(manager, 'backoff')
    expect(manager.getProcessStatus(id)).toMatchObject({
      status: 'stopped', state: 'backoff', pid: 0, uptime: 0, cpu: 0, memory: 0, exitCode: 4
    })
  })
})

describe('stableAfter', () => {
  test('lets the count for limit and backoff start anew, but not the restarts figure', async () => {
    const manager = makeManager()
    const delays = []
    manager.on('backoff', ({ delay }) => delays.push(delay))
    manager.spawnProcess({
      command: fixture('exit-with'), args: ['1', '30'], ...quick, restartDelay: 2, restartFactor: 10, restartJitter: 0,
      maxRestartDelay: 100, maxRestarts: 2, stableAfter: 20
    })
    const { restarts } = await once(manager, 'restart', ({ restarts }) => restarts >= 5)
    expect(restarts).toBe(5)
    expect(new Set(delays)).toEqual(new Set([2]))
    expect(manager.getProcessStatus('proc_1000').restarts).toBe(5)
  })

  test('does not count what ended earlier', async () => {
    const seen = await untilGivenUp(makeManager(), {
      command: fixture('exit-with'), args: ['1', '10'], maxRestarts: 2, stableAfter: 60000
    })
    expect(seen.filter(([name]) => name === 'restart')).toHaveLength(2)
  })
})

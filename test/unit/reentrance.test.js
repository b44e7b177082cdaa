'use strict'

// Every method from inside every event.

const { makeManager, record, once, exitOf, startReady } = require('../support/manager')
const { fixture } = require('../support/children')

const methods = {
  spawnProcess: manager => manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] }),
  stopProcess: (manager, id) => manager.stopProcess(id, 0),
  restartProcess: (manager, id) => manager.restartProcess(id),
  getProcessStatus: (manager, id) => manager.getProcessStatus(id),
  getProcessLogs: (manager, id) => manager.getProcessLogs(id),
  listProcesses: manager => manager.listProcesses(),
  writeStdin: (manager, id) => manager.writeStdin(id, 'x'),
  sendMessage: (manager, id) => manager.sendMessage(id, {}),
  closeStdin: (manager, id) => manager.closeStdin(id),
  pauseOutput: (manager, id) => manager.pauseOutput(id),
  resumeOutput: (manager, id) => manager.pauseOutput(id) && manager.resumeOutput(id),
  queryLogs: (manager, id) => manager.getProcessLogs(id, { search: 'x' }),
  followLogs: async (manager, id) => {
    const follower = manager.followLogs(id)
    follower.next()
    return follower.return()
  },
  removeProcess: (manager, id) => manager.removeProcess(id),
  stopAll: manager => manager.stopAll(0),
  cleanup: manager => manager.cleanup(),
  removeAllListeners: manager => manager.removeAllListeners(),
  ref: manager => manager.unref().ref()
}

/** Makes each event come; each gives the id concerned. */
const causes = {
  spawn: manager => manager.spawnProcess({ command: fixture('say-ready') }),
  stdout: manager => manager.spawnProcess({ command: fixture('say-ready') }),
  stderr: manager => manager.spawnProcess({ command: 'sh', args: ['-c', 'echo err >&2; exec sleep 100'] }),
  line: manager => manager.spawnProcess({ command: fixture('numbered-lines'), args: ['1000'] }),
  message: manager => manager.spawnProcess({ command: 'sh', args: ['-c', 'for i in 1 2 3; do echo "[$i]"; done; exec sleep 100'], messages: 'raw' }),
  stray: manager => manager.spawnProcess({ command: fixture('numbered-lines'), args: ['1000'], messages: 'json' }),
  exit: manager => manager.spawnProcess({ command: fixture('exit-with'), args: ['1'] }),
  error: manager => manager.spawnProcess({ command: '/none' }),
  backoff: manager => manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, restartDelay: 1 }),
  restart: manager => manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, restartDelay: 1 }),
  limit: manager => manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, maxRestarts: 0 }),
  stop: manager => {
    const id = manager.spawnProcess({ command: fixture('say-ready') })
    manager.stopProcess(id, 0)
    return id
  },
  drain: manager => {
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), stdinHighWaterMark: 1 })
    manager.writeStdin(id, 'x'.repeat(200000))
    return id
  }
}

describe.each(Object.keys(causes))('from inside %s', event => {
  test.each(Object.keys(methods))('%s', async method => {
    const manager = makeManager()
    manager.on('error', () => {})
    let failure
    let result
    const called = new Promise(resolve => {
      manager.once(event, () => {
        try {
          result = methods[method](manager, id)
        } catch (error) {
          failure = error
        }
        resolve()
      })
    })
    const id = causes[event](manager)
    await called
    if (failure) expect(failure.code).toBe('ERR_STDIN_CLOSED')
    await result
    // The manager is as it was promised to be, whatever happened meanwhile.
    manager.on('error', () => {})
    if (method === 'cleanup') {
      expect(() => manager.spawnProcess({ command: 'true' })).toThrow(expect.objectContaining({ code: 'ERR_MANAGER_CLOSED' }))
      expect(manager.listProcesses()).toEqual([])
    } else {
      await startReady(manager, { command: fixture('say-ready') })
    }
  })
})

test('nothing is emitted once cleanup has resolved', async () => {
  const manager = makeManager()
  const seen = record(manager, ['spawn', 'stdout', 'line', 'exit', 'error', 'restart', 'stop', 'backoff'])
  manager.spawnProcess({ command: fixture('flood'), args: ['100000000', '100'] })
  manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, restartDelay: 1 })
  await once(manager, 'stdout')
  await manager.cleanup()
  const { length } = seen
  await new Promise(resolve => setTimeout(resolve, 50))
  expect(seen).toHaveLength(length)
})

test('listeners that start each other do not hold the loop', async () => {
  const manager = makeManager()
  let spawns = 0
  manager.on('error', () => {
    spawns++
    manager.spawnProcess({ command: '/none' })
  })
  manager.spawnProcess({ command: '/none' })
  for (let turns = 0; turns < 20; turns++) await new Promise(resolve => setImmediate(resolve))
  manager.removeAllListeners('error')
  expect(spawns).toBeGreaterThan(0)
  expect(spawns).toBeLessThan(1000)
  await exitOf(manager, manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] }))
})

'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, record, once, exitOf, startReady } = require('../support/manager')
const { fixture, isAlive } = require('../support/children')

const quick = { autoRestart: true, restartDelay: 1, maxRestartDelay: 2 }

/** Resolves when a process is given up; all events until then. */
async function untilGivenUp (manager, config) {
  const seen = record(manager)
  const id = manager.spawnProcess({ ...quick, ...config })
  const { error } = await once(manager, 'error', ({ error }) => error.code === 'ERR_RESTART_LIMIT')
  return { id, seen, error }
}

const namesOf = (seen, wanted) => seen.map(([name]) => name).filter(name => !wanted || wanted.includes(name))

describe('a process is not restarted', () => {
  test.each([
    ['without autoRestart', { command: fixture('exit-with'), args: ['1'] }],
    ['after exit code 0', { command: fixture('exit-with'), args: ['0'], ...quick }],
    ['with maxRestarts 0', { command: fixture('exit-with'), args: ['1'], ...quick, maxRestarts: 0 }]
  ])('%s', async (_, config) => {
    const manager = makeManager()
    const seen = record(manager)
    const id = manager.spawnProcess(config)
    await exitOf(manager, id)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(namesOf(seen, ['restart', 'backoff'])).toEqual([])
    expect(manager.getProcessStatus(id).restarts).toBe(0)
  })

  test('after it was stopped', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready'), ...quick })
    const seen = record(manager)
    await manager.stopProcess(id)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(namesOf(seen)).toEqual(['exit', 'stop'])
    expect(manager.getProcessStatus(id).status).toBe('stopped')
  })
})

describe('a process is restarted', () => {
  test('after an exit code other than 0, under the same id with the same config', async () => {
    const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'restart-test-'))
    const manager = makeManager()
    const seen = record(manager)
    const id = await startReady(manager, {
      id: 'server', command: fixture('crash-until'), args: ['counter', '2'], workingDir: scratch, ...quick
    })
    const { pid, ...status } = manager.getProcessStatus(id)
    expect(status).toMatchObject({ status: 'running', state: 'running', restarts: 2, exitCode: 1, exitSignal: null })
    await new Promise(resolve => setImmediate(resolve))
    expect(namesOf(seen)).toEqual([
      'spawn', 'exit', 'backoff', 'spawn', 'restart', 'exit', 'backoff', 'spawn', 'restart'
    ])
    expect(seen.at(-1)[1]).toEqual({ processId: 'server', pid, restarts: 2 })
    expect(fs.readFileSync(path.join(scratch, 'counter'), 'utf8')).toBe('...')
    fs.rmSync(scratch, { recursive: true })
  })

  test.each([['SIGKILL', 9], ['SIGSEGV', 11], ['SIGTERM', 15], ['SIGHUP', 1]])('after %s', async (signal, number) => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('die-by'), args: [String(number)], ...quick })
    expect(await exitOf(manager, id)).toMatchObject({ code: null, signal })
    expect(await once(manager, 'restart')).toMatchObject({ processId: id, restarts: 1 })
  })

  test('when it is killed from outside', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready'), ...quick })
    const { pid } = manager.getProcessStatus(id)
    const restarted = once(manager, 'restart')
    process.kill(pid, 'SIGKILL')
    expect((await restarted).pid).not.toBe(pid)
    expect(manager.getProcessStatus(id).status).toBe('running')
  })

  test('at most 5 times; then it is given up', async () => {
    const manager = makeManager()
    const { id, seen, error } = await untilGivenUp(manager, { command: fixture('exit-with'), args: ['3'] })
    expect(namesOf(seen, ['spawn'])).toHaveLength(6)
    expect(namesOf(seen, ['restart'])).toHaveLength(5)
    expect(namesOf(seen, ['backoff'])).toHaveLength(5)
    expect(namesOf(seen, ['exit'])).toHaveLength(6)
    expect(namesOf(seen).slice(-3)).toEqual(['exit', 'limit', 'error'])
    expect(seen.at(-2)[1]).toEqual({ processId: id, limit: 'maxRestarts', value: 5, seen: 5, action: 'give-up' })
    expect(error.message).toMatch(/5 restarts.*exit code 3/)
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'error', state: 'failed', pid: 0, restarts: 5, exitCode: 3 })
    expect(manager.getProcessStatus(id).error.code).toBe('ERR_RESTART_LIMIT')
  })

  test('at most maxRestarts times', async () => {
    const { seen, error } = await untilGivenUp(makeManager(), {
      command: fixture('die-by'), args: ['9'], maxRestarts: 2
    })
    expect(namesOf(seen, ['restart'])).toHaveLength(2)
    expect(error.message).toMatch(/2 restarts.*signal 9/)
  })

  test('without a limit if maxRestarts is Infinity', async () => {
    const manager = makeManager()
    manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], ...quick, maxRestarts: Infinity })
    await once(manager, 'restart', ({ restarts }) => restarts === 12)
  })
})

describe('a command that cannot be executed', () => {
  test('counts as a failure like any other', async () => {
    const manager = makeManager()
    const { id, seen, error } = await untilGivenUp(manager, { command: '/none', maxRestarts: 3 })
    expect(namesOf(seen)).toEqual([
      'error', 'backoff', 'error', 'backoff', 'error', 'backoff', 'error', 'limit', 'error'
    ])
    expect(seen[0][1].error.code).toBe('ENOENT')
    expect(error.message).toMatch(/3 restarts.*could not be started.*none/)
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'error', exitCode: null, exitSignal: null })
  })

  test('is in error while it waits', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: '/none', autoRestart: true })
    await once(manager, 'backoff')
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'error', state: 'backoff' })
    expect(await manager.stopProcess(id)).toBe(true)
  })

  test('is started once it is there', async () => {
    const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'restart-test-'))
    const command = path.join(scratch, 'server')
    const manager = makeManager()
    manager.spawnProcess({ command, autoRestart: true, restartDelay: 1 })
    await once(manager, 'error')
    fs.copyFileSync(fixture('say-ready'), `${command}.new`)
    fs.renameSync(`${command}.new`, command)
    await once(manager, 'restart')
    expect(manager.getProcessStatus('proc_1000')).toMatchObject({ status: 'running', error: null })
    await manager.stopAll()
    fs.rmSync(scratch, { recursive: true })
  })
})

describe('restartProcess', () => {
  test('stops what runs and starts it again', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['1'] })
    const { pid } = manager.getProcessStatus(id)
    const seen = record(manager)
    expect(await manager.restartProcess(id)).toBe(true)
    expect(isAlive(pid)).toBe(false)
    expect(namesOf(seen)).toEqual(['exit', 'stop', 'spawn', 'restart'])
    expect(seen[0][1]).toMatchObject({ code: 0, pid })
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'running', restarts: 1, exitCode: 0 })
    expect(manager.getProcessStatus(id).pid).not.toBe(pid)
  })

  test('is false for an unknown id', async () => {
    expect(await makeManager().restartProcess('nobody')).toBe(false)
  })

  test('starts an ended process again, exit code 0 or not', async () => {
    const manager = makeManager()
    for (const code of ['0', '3']) {
      const id = manager.spawnProcess({ command: fixture('exit-with'), args: [code] })
      await exitOf(manager, id)
      const seen = record(manager)
      const exit = exitOf(manager, id)
      expect(await manager.restartProcess(id)).toBe(true)
      await exit
      expect(namesOf(seen)).toEqual(['spawn', 'restart', 'exit'])
      expect(manager.getProcessStatus(id)).toMatchObject({ restarts: 1, exitCode: Number(code) })
    }
  })

  test('cuts a wait short', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, restartDelay: 60000 })
    await once(manager, 'backoff')
    expect(await manager.restartProcess(id)).toBe(true)
    expect(manager.getProcessStatus(id).restarts).toBe(1)
    await once(manager, 'backoff')
    await manager.stopProcess(id)
  })

  test('gives a process that was given up a new chance', async () => {
    const manager = makeManager()
    const { id } = await untilGivenUp(manager, { command: fixture('exit-with'), args: ['1'], maxRestarts: 1 })
    const again = once(manager, 'error')
    expect(await manager.restartProcess(id)).toBe(true)
    await again
    expect(manager.getProcessStatus(id)).toMatchObject({ state: 'failed', restarts: 3 })
  })

  test('is false if the command cannot be started', async () => {
    const manager = makeManager()
    manager.on('error', () => {})
    const id = manager.spawnProcess({ command: '/none' })
    expect(await manager.restartProcess(id)).toBe(false)
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'error', restarts: 1 })
  })

  test('joins a restart under way', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['30'] })
    const seen = record(manager)
    expect(await Promise.all([manager.restartProcess(id), manager.restartProcess(id)])).toEqual([true, true])
    expect(namesOf(seen, ['spawn'])).toHaveLength(1)
    expect(manager.getProcessStatus(id).restarts).toBe(1)
  })

  test('during a stop starts it again after that', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['30'] })
    const stopped = manager.stopProcess(id)
    expect(await manager.restartProcess(id)).toBe(true)
    expect(await stopped).toBe(true)
    expect(manager.getProcessStatus(id).status).toBe('running')
  })

  test('right after the spawn', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('say-ready') })
    expect(await manager.restartProcess(id)).toBe(true)
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'running', restarts: 1 })
  })
})

'use strict'

// Keepers that are stopped or killed at the worst moment.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Lifeline } = require('../orphans/lifeline')
const { makeManager, startReady, run, wrote, record, once, exitOf, portable } = require('../support/manager')
const { fixture, look, isAlive, until } = require('../support/children')

/* The portable backend starts commands without keepers, so there is none to lose. */
const describeKept = portable ? describe.skip : describe

describeKept('a keeper', () => {
  const keeperOf = pid => look(pid).ppid

  test('tells of the end even if it has left orders unread', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const { pid } = manager.getProcessStatus(id)
    const keeper = keeperOf(pid)
    const errors = record(manager, ['error'])
    process.kill(keeper, 'SIGSTOP')
    process.kill(pid, 'SIGKILL')
    await until(() => look(pid).state === 'Z', 'the command had ended')
    for (let i = 0; i < 5; i++) manager.signalProcess(id, 'SIGUSR1')
    const exit = exitOf(manager, id)
    process.kill(keeper, 'SIGCONT')
    // Not one turn of the loop, so that it has closed its socket before it is heard.
    while (isAlive(keeper));
    expect(await exit).toMatchObject({ pid, code: null, signal: 'SIGKILL' })
    expect(errors).toEqual([])
  })

  test('is reported to be lost before what its loss made of the command, which is started again', async () => {
    const manager = makeManager({ containment: 'nested', restartDelay: 10 })
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['20'], autoRestart: true })
    const { pid } = manager.getProcessStatus(id)
    const seen = record(manager, ['error', 'exit'])
    const restarted = once(manager, 'restart')
    process.kill(keeperOf(keeperOf(pid)), 'SIGKILL')
    await restarted
    expect(seen.map(([name]) => name)).toEqual(['error', 'exit'])
    expect(seen[0][1].error.code).toBe('ERR_KEEPER_LOST')
  })

  test('that is killed when only a daemon is left is reported before the stop is answered', async () => {
    const manager = makeManager()
    const { id, stdout } = await run(manager, { command: fixture('leave-daemon'), args: ['stubborn', '0'], stopTimeout: 60000 })
    const daemon = Number(/grandchild (\d+)/.exec(stdout)[1])
    const seen = record(manager, ['error', 'stop'])
    const stopped = manager.stopProcess(id, 60000)
    process.kill(keeperOf(daemon), 'SIGKILL')
    try {
      expect(await stopped).toBe(true)
      expect(seen.map(([name]) => name)).toEqual(['error', 'stop'])
      expect(seen[0][1].error.code).toBe('ERR_KEEPER_LOST')
    } finally {
      process.kill(daemon, 'SIGKILL')
    }
  })

  test('that is killed leaves nobody of its session, however fast they fork', async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keeper-'))
    const lifeline = Lifeline.make(path.join(directory, 'lifeline'))
    const manager = makeManager()
    try {
      for (let i = 0; i < 20; i++) {
        const id = manager.spawnProcess({ command: fixture('tree'), args: ['chain'], env: { PM_TREE_LIFELINE: lifeline.path } })
        await wrote(manager, id, 'ready')
        const { pid } = manager.getProcessStatus(id)
        const exit = exitOf(manager, id)
        process.kill(keeperOf(pid), 'SIGKILL')
        expect(await exit).toMatchObject({ pid, code: null, signal: null })
        expect(await manager.stopProcess(id)).toBe(true)
        await until(() => !lifeline.isHeld(), 'the chain had ended', 2000)
      }
    } finally {
      fs.rmSync(directory, { recursive: true })
      lifeline.close()
    }
  })
})

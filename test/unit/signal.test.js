'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, record, once, exitOf, wrote, startReady, thrownBy, portable } = require('../support/manager')
const { fixture, isAlive } = require('../support/children')
const { runHost } = require('../support/host')

const { signals } = os.constants
/* Detached children are out of reach without a keeper. */
const withKeeper = portable ? test.skip : test
/* Only root can make a command that runs as root, and become somebody who may not signal it. */
const asRoot = process.getuid() === 0 ? test : test.skip
const asRootWithKeeper = portable ? test.skip : asRoot

/** Starts what tells the signals that it gets, and ends by SIGTERM. */
function startTelling (manager, child, config = {}) {
  const args = [String(signals.SIGTERM), ...(child ? [child] : [])]
  return startReady(manager, { command: fixture('tell-signals'), args, ...config })
}

const linesOf = (manager, id) => manager.getProcessLogs(id, Infinity).stdout

describe('signalProcess', () => {
  test.each([['SIGUSR1'], ['SIGWINCH'], ['SIGHUP'], ['SIGCONT']])('sends %s by its name', async name => {
    const manager = makeManager()
    const id = await startTelling(manager)
    const told = wrote(manager, id, `command ${signals[name]}\n`)
    expect(manager.signalProcess(id, name)).toBe(true)
    await told
  })

  test.each([[signals.SIGUSR2], [40], [64]])('sends %d by its number', async number => {
    const manager = makeManager()
    const id = await startTelling(manager)
    const told = wrote(manager, id, `command ${number}\n`)
    expect(manager.signalProcess(id, number)).toBe(true)
    await told
  })

  test.each([[undefined], [{}], [{ tree: false }], [{ tree: undefined }], [Object.create({ tree: true })]])(
    'reaches the command alone with the options %p', async options => {
      const manager = makeManager()
      const id = await startTelling(manager, 'child')
      const told = wrote(manager, id, `command ${signals.SIGUSR1}\n`)
      manager.signalProcess(id, 'SIGUSR1', options)
      await told
      /* Of signals that wait, the one with the lower number comes first. */
      const toldOther = wrote(manager, id, `child ${signals.SIGUSR2}\n`)
      manager.signalProcess(id, 'SIGUSR2', { tree: true })
      await toldOther
      expect(linesOf(manager, id)).not.toContain(`child ${signals.SIGUSR1}`)
    })

  test.each([['tree'], ['nested'], ['group']])('reaches the rest too with tree: true (%s)', async containment => {
    const manager = makeManager({ containment })
    const id = await startTelling(manager, 'child')
    const told = ['command', 'child'].map(who => wrote(manager, id, `${who} ${signals.SIGUSR1}\n`))
    expect(manager.signalProcess(id, 'SIGUSR1', { tree: true })).toBe(true)
    await Promise.all(told)
    expect(linesOf(manager, id).filter(line => line === `child ${signals.SIGUSR1}`)).toHaveLength(1)
  })

  withKeeper.each([['tree'], ['nested']])('reaches what left the session too (%s)', async containment => {
    const manager = makeManager({ containment })
    const id = await startTelling(manager, 'detached')
    const told = wrote(manager, id, `child ${signals.SIGUSR1}\n`)
    manager.signalProcess(id, 'SIGUSR1', { tree: true })
    await told
  })

  test('ends a command without being a stop', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('ignore-term') })
    const seen = record(manager)
    const exit = exitOf(manager, id)
    expect(manager.signalProcess(id, 'SIGKILL')).toBe(true)
    expect(await exit).toMatchObject({ code: null, signal: 'SIGKILL', requested: false })
    expect(seen.map(([name]) => name)).toEqual(['exit'])
  })

  test('ends it so that it is restarted', async () => {
    const manager = makeManager({ autoRestart: true, restartDelay: 1 })
    const id = await startReady(manager, { command: fixture('say-ready') })
    const restart = once(manager, 'restart')
    manager.signalProcess(id, 'SIGTERM')
    expect(await restart).toMatchObject({ processId: id, restarts: 1 })
  })

  test('comes in the order of the calls', async () => {
    const manager = makeManager()
    const id = await startTelling(manager)
    const exit = exitOf(manager, id)
    for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGTERM']) expect(manager.signalProcess(id, name)).toBe(true)
    expect(await exit).toMatchObject({ code: 0, signal: null })
    expect(linesOf(manager, id).at(-1)).toBe(`command ${signals.SIGTERM}`)
  })

  test('is possible during a stop', async () => {
    const manager = makeManager({ stopSignal: { signal: 'SIGHUP' } })
    const id = await startTelling(manager)
    const told = wrote(manager, id, `command ${signals.SIGHUP}\n`)
    const stopped = manager.stopProcess(id, Infinity)
    await told
    expect(manager.signalProcess(id, 'SIGTERM')).toBe(true)
    expect(await stopped).toBe(true)
    expect(manager.getProcessStatus(id)).toMatchObject({ exitCode: 0 })
  })
})

describe('signalProcess is false', () => {
  test.each([['nobody'], [''], ['__proto__'], [undefined], [null], [3], [{}], ['x'.repeat(300)], ['\ud800']])(
    'for an unknown id: %p', id => {
      const manager = makeManager()
      manager.spawnProcess({ command: fixture('say-ready') })
      expect(manager.signalProcess(id, 'SIGKILL')).toBe(false)
      expect(manager.signalProcess(id, 'SIGKILL', { tree: true })).toBe(false)
      expect(manager.getProcessStatus('proc_1000').state).toBe('running')
    })

  test('when nothing runs', async () => {
    const manager = makeManager()
    manager.on('error', () => {})
    const ended = manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] })
    await exitOf(manager, ended)
    const failed = manager.spawnProcess({ command: '/none' })
    const waiting = manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true })
    await once(manager, 'backoff')
    for (const id of [ended, failed, waiting]) {
      for (const tree of [false, true]) expect(manager.signalProcess(id, 'SIGTERM', { tree })).toBe(false)
    }
  })

  test('after cleanup', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    await manager.cleanup()
    expect(manager.signalProcess(id, 'SIGTERM')).toBe(false)
  })
})

describe('signalProcess refuses', () => {
  /** What it throws, for a process that runs and for an unknown id. */
  async function refusals (...rest) {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const errors = [id, 'nobody'].map(id => thrownBy(() => manager.signalProcess(id, ...rest)))
    const { pid, state } = manager.getProcessStatus(id)
    expect([state, isAlive(pid)]).toEqual(['running', true])
    for (const error of errors) expect(error).toBeInstanceOf(TypeError)
    return errors
  }

  test.each([['SIGNONE'], ['TERM'], ['sigterm'], ['SIGTERM '], ['SIG'], [''], ['15'], ['toString'], ['SIGTERM\0'], ['SIGé'],
    [0], [-1], [-15], [1.5], [NaN], [Infinity], [-Infinity], [2 ** 31], [2 ** 53], ['x'.repeat(1e5)]])(
    'what is no signal: %p', async signal => {
      for (const error of await refusals(signal)) {
        expect(error.code).toBe('ERR_UNKNOWN_SIGNAL')
        expect(error.message).toMatch(/^signal must be /)
        expect(error.message).toContain(typeof signal === 'number' ? `got ${signal}` : 'got "')
        expect(error.message.length).toBeLessThan(200)
      }
    })

  test('a number beyond the last signal', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    for (const signal of [65, 1000, 2 ** 31 - 1]) {
      expect(thrownBy(() => manager.signalProcess(id, signal))).toMatchObject({ code: 'ERR_UNKNOWN_SIGNAL' })
    }
  })

  test.each([[undefined], [null], [true], [{}], [['SIGTERM']], [15n], [Symbol('SIGTERM')], [new String('SIGTERM')]])(
    'a signal of another type: %p', async signal => {
      for (const error of await refusals(signal)) {
        expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
        expect(error.message).toMatch(/^signal must be .*; got /)
      }
    })

  test.each([[null], [true], ['tree'], [1], [() => {}]])('options that are %p', async options => {
    for (const error of await refusals('SIGTERM', options)) {
      expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
      expect(error.message).toMatch(/^options must be an object; got /)
    }
  })

  test.each([[1], [0], ['true'], [null], [{}]])('a tree that is %p', async tree => {
    for (const error of await refusals('SIGTERM', { tree })) {
      expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
      expect(error.message).toMatch(/^options\.tree must be true or false; got /)
    }
  })

  /* Only root can make a program that its own host may not signal, and end it. */
  describe("a command that has become another user's", () => {
    let directory
    let command

    beforeEach(() => {
      directory = fs.mkdtempSync(path.join(os.tmpdir(), 'signal-test-'))
      command = path.join(directory, 'hold-root')
      fs.chmodSync(directory, 0o755)
      fs.copyFileSync(fixture('hold-root'), command)
      fs.chmodSync(command, 0o4755)
    })

    afterEach(() => fs.rmSync(directory, { recursive: true }))

    /** Prints what it gets for a signal to such a command, which nobody but the test can end. */
    const hostOfAnotherUser = async ({ ProcessManager, print, ready }, command, containment) => {
      const manager = new ProcessManager({ containment })
      process.setgid(61234)
      process.setuid(61234)
      const id = manager.spawnProcess({ command, args: ['leader'] })
      const { pid } = manager.getProcessStatus(id)
      const exit = new Promise(resolve => manager.on('exit', resolve))
      await ready(manager, id)
      for (const tree of [false, true]) {
        try {
          print(manager.signalProcess(id, 'SIGTERM', { tree }))
        } catch (error) {
          print({ isError: error instanceof Error, code: error.code })
        }
      }
      print({ pid, state: manager.getProcessStatus(id).state })
      const { signal } = await exit
      print(signal)
    }

    async function answersOf (containment) {
      const host = await runHost(hostOfAnotherUser, {
        args: [command, containment], onLine: line => { if (line?.pid) process.kill(line.pid, 'SIGKILL') }
      })
      expect(host).toMatchObject({ code: 0, stderr: '' })
      const [alone, tree, ...rest] = host.printed
      expect(rest).toEqual([{ pid: expect.any(Number), state: 'running' }, 'SIGKILL'])
      await host.survivors()
      return [alone, tree]
    }

    asRoot('without a keeper: EPERM', async () => {
      const refused = { isError: true, code: 'EPERM' }
      for (const containment of ['group', 'none']) expect(await answersOf(containment)).toEqual([refused, refused])
    })

    asRootWithKeeper('through a keeper, which passes on what it may: true', async () => {
      for (const containment of ['tree', 'nested']) expect(await answersOf(containment)).toEqual([true, true])
    })
  })
})

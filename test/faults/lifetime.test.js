'use strict'

// A manager's own end: cleanup, disposal, garbage collection, many loads.

const { runHost } = require('../support/host')
const { makeManager, startReady, thrownBy, record } = require('../support/manager')
const { fixture, isAlive, countDescriptors } = require('../support/children')

describe('cleanup', () => {
  test('stops everything managed', async () => {
    const manager = makeManager()
    const ids = await Promise.all(['say-ready', 'slow-term'].map(name => {
      return startReady(manager, { command: fixture(name), args: ['1'] })
    }))
    const pids = ids.map(id => manager.getProcessStatus(id).pid)
    const seen = record(manager, ['exit'])
    expect(await manager.cleanup()).toBeUndefined()
    expect(pids.map(isAlive)).toEqual([false, false])
    expect(seen.map(([, { signal, code }]) => signal ?? code).sort()).toEqual([0, 'SIGTERM'])
  })

  test('uses stopTimeout, then SIGKILL', async () => {
    const manager = makeManager({ stopTimeout: 50 })
    const id = await startReady(manager, { command: fixture('ignore-term') })
    const { pid } = manager.getProcessStatus(id)
    await manager.cleanup()
    expect(isAlive(pid)).toBe(false)
  })

  test('may be called twice, at once or later', async () => {
    const manager = makeManager()
    await startReady(manager, { command: fixture('say-ready') })
    await Promise.all([manager.cleanup(), manager.cleanup()])
    await manager.cleanup()
  })

  test('of a manager that never did anything is fine', async () => {
    await makeManager().cleanup()
  })

  test('cancels restarts', async () => {
    const manager = makeManager()
    manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, restartDelay: 30 })
    await new Promise(resolve => manager.once('backoff', resolve))
    const seen = record(manager)
    await manager.cleanup()
    await new Promise(resolve => setTimeout(resolve, 60))
    expect(seen.map(([name]) => name)).not.toContain('spawn')
  })

  test('refuses spawns and restarts from its first moment', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['50'] })
    const done = manager.cleanup()
    const refused = { code: 'ERR_MANAGER_CLOSED' }
    expect(thrownBy(() => manager.spawnProcess({ command: 'true' }))).toMatchObject(refused)
    expect(await manager.restartProcess(id).catch(error => error.code)).not.toBe(true)
    await done
    const error = thrownBy(() => manager.spawnProcess({ command: 'true' }))
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject(refused)
  })

  test('leaves all other methods without harm', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const { backend } = manager
    await manager.cleanup()
    expect(manager.getProcessStatus(id).status).toBe('unknown')
    expect(manager.getProcessLogs(id)).toEqual({ stdout: [], stderr: [] })
    expect(manager.listProcesses()).toEqual([])
    expect(await manager.stopProcess(id)).toBe(false)
    expect(await manager.restartProcess(id)).toBe(false)
    expect(manager.removeProcess(id)).toBe(false)
    expect(manager.backend).toBe(backend)
    expect(manager.ref().unref()).toBe(manager)
    await manager.stopAll()
    manager.on('stdout', () => {}).removeAllListeners()
    expect(thrownBy(() => manager.writeStdin(id, 'x')).code).toBe('ERR_UNKNOWN_PROCESS')
  })

  test('gives back every descriptor', async () => {
    await startReady(makeManager(), { command: fixture('say-ready') })
    const before = countDescriptors()
    const managers = Array.from({ length: 10 }, () => makeManager())
    for (const manager of managers) {
      await startReady(manager, { command: fixture('say-ready') })
      manager.spawnProcess({ command: fixture('flood'), args: ['100000000', '10'] })
    }
    expect(countDescriptors()).toBeGreaterThan(before)
    await Promise.all(managers.map(manager => manager.cleanup()))
    expect(countDescriptors()).toBe(before)
  })

  test('is what Symbol.asyncDispose does, so that `await using` works', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const { pid } = manager.getProcessStatus(id)
    await manager[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]()
    expect(isAlive(pid)).toBe(false)
    expect(thrownBy(() => manager.spawnProcess({ command: 'true' })).code).toBe('ERR_MANAGER_CLOSED')
  })
})

test('a manager that is collected closes its handles; one with a living process is not collected', async () => {
  const host = await runHost(async ({ ProcessManager, fixture, print }) => {
    const fs = require('node:fs')
    const count = () => fs.readdirSync('/proc/self/fd').length
    const turn = () => new Promise(resolve => setTimeout(resolve, 5))
    const living = new WeakRef(new ProcessManager())
    const says = new Promise(resolve => living.deref().once('stdout', resolve))
    const ended = new Promise(resolve => living.deref().once('exit', resolve))
    living.deref().spawnProcess({ command: fixture('say-ready') })
    living.deref().spawnProcess({ command: fixture('exit-with'), args: ['0'] })
    await Promise.all([says, ended])
    await turn()
    const before = count()
    const refs = []
    const exits = []
    await (async () => {
      for (let i = 0; i < 20; i++) {
        const manager = new ProcessManager()
        manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] })
        exits.push(new Promise(resolve => manager.on('exit', resolve)))
        refs.push(new WeakRef(manager))
      }
      await Promise.all(exits.splice(0))
    })()
    const collected = () => refs.filter(ref => ref.deref() === undefined).length
    /* What deref() gave lives until the turn is over, so gc() needs turns of its own. */
    for (let i = 0; i < 200 && (collected() < 20 || count() > before); i++) {
      await turn()
      global.gc()
      await turn()
    }
    print({ collected: collected(), left: count() - before, lives: living.deref()?.getProcessStatus('proc_1000').status })
    process.exit(0)
  }, { nodeArgs: ['--expose-gc'] })
  expect(host).toMatchObject({ code: 0, stderr: '', printed: [{ collected: 20, left: 0, lives: 'running' }] })
  await host.survivors()
})

test('many managers and many loads of the module warn of nothing', async () => {
  const host = await runHost(async ({ root, fixture, print }) => {
    const warnings = []
    process.on('warning', ({ message }) => warnings.push(message))
    const before = process.listenerCount('exit')
    const load = () => {
      for (const file of Object.keys(require.cache)) {
        if (file.startsWith(root + '/lib')) delete require.cache[file]
      }
      return require(root + '/lib/process-manager.js')
    }
    const managers = []
    for (let i = 0; i < 30; i++) {
      const ProcessManager = load()
      for (let k = 0; k < 2; k++) {
        const manager = new ProcessManager()
        manager.spawnProcess({ command: fixture('say-ready') })
        managers.push(manager)
      }
    }
    const listeners = process.listenerCount('exit') - before
    await Promise.all(managers.map(manager => manager.cleanup()))
    await new Promise(resolve => setImmediate(resolve))
    print({ warnings, listeners: listeners > 0, left: process.listenerCount('exit') - before })
  })
  expect(host).toMatchObject({ code: 0, stderr: '', printed: [{ warnings: [], listeners: true, left: 0 }] })
  await host.survivors()
})

test('a fresh module in a vm context has errors of that context', async () => {
  const host = await runHost(({ root, print }) => {
    const vm = require('node:vm')
    const path = require('node:path')
    const fs = require('node:fs')
    const context = vm.createContext({ process, console, setImmediate })
    const cache = new Map()
    const load = file => {
      if (cache.has(file)) return cache.get(file).exports
      const module = { exports: {} }
      cache.set(file, module)
      const local = name => name.startsWith('.') ? load(path.join(path.dirname(file), name) + '.js') : require(require.resolve(name, { paths: [root] }))
      const wrap = vm.runInContext(`(function (exports, require, module, __dirname) {${fs.readFileSync(file)}\n})`, context)
      wrap(module.exports, local, module, path.dirname(file))
      return module.exports
    }
    const ProcessManager = load(root + '/lib/process-manager.js')
    const InnerTypeError = vm.runInContext('TypeError', context)
    try {
      new ProcessManager({ maxRestarts: -1 })
    } catch (error) {
      print([error instanceof vm.runInContext('RangeError', context), error.code])
    }
    try {
      new ProcessManager().spawnProcess({ command: 'a\0b' })
    } catch (error) {
      print([error instanceof InnerTypeError, error.code])
    }
  })
  expect(host).toMatchObject({ code: 0, stderr: '' })
  expect(host.printed).toEqual([[true, 'ERR_OUT_OF_RANGE'], [true, 'ERR_INVALID_ARG_VALUE']])
})

'use strict'

// A host that ends, in whatever way, leaves nothing behind that it managed.

const { runHost } = require('../support/host')
const { makeManager } = require('../support/manager')
const { isAlive } = require('../support/children')

/* uv_spawn has neither keepers nor a hook for a parent-death signal, so that a host
 * killed from outside cannot take its children along there. */
const withKeeper = makeManager().backend === 'clone' ? test : test.skip

/** A host with living children, and where there are keepers a tree that leaves its session, that then does what `how` says. */
const hostWithChildren = async ({ ProcessManager, fixture, print, ready }, how) => {
  const manager = new ProcessManager({ restartDelay: 60000 })
  manager.on('error', () => {})
  const ids = ['say-ready', 'ignore-term', 'exit-on-eof'].map(name => manager.spawnProcess({ command: fixture(name) }))
  if (manager.backend === 'clone') ids.push(manager.spawnProcess({ command: fixture('note-signals'), args: ['4'] }))
  manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true })
  await Promise.all(ids.map(id => ready(manager, id)))
  const ends = {
    exit: () => process.exit(7),
    throw: () => setImmediate(() => { throw new Error('uncaught, on purpose') }),
    reject: () => Promise.reject(new Error('rejected, on purpose')),
    abort: () => process.abort(),
    crash: () => process.dlopen({ exports: {} }, fixture('crash.so')),
    signal: () => print('ready'),
    blocked: () => { print('ready'); for (;;); },
    natural: () => { manager.unref(); print('ready') },
    'in exit listener': () => { process.on('exit', () => { throw new Error('on purpose') }); process.exit(7) },
    'within an event': () => { manager.once('stdout', () => process.exit(7)); manager.spawnProcess({ command: 'echo' }) }
  }
  ends[how]()
}

describe('nothing is left after', () => {
  test.each([
    ['exit', 7], ['throw', 1], ['reject', 1], ['within an event', 7], ['in exit listener', 7]
  ])('process.exit or an exception: %s', async (how, code) => {
    const host = await runHost(hostWithChildren, { args: [how] })
    await host.survivors()
    expect(host.signal).toBeNull()
    if (how === 'in exit listener') expect(host.code).not.toBe(0)
    else expect(host.code).toBe(code)
    if (how === 'exit' || how === 'within an event') expect(host.stderr).toBe('')
    else expect(host.stderr).toContain('on purpose')
  })

  test('the loop ran empty with unref: the host does not wait, and its children end with it', async () => {
    const host = await runHost(hostWithChildren, { args: ['natural'] })
    expect(host).toMatchObject({ code: 0, signal: null, stderr: '' })
    await host.survivors()
  })
})

describe('when the host is killed its children end', () => {
  withKeeper.each([
    ['SIGTERM', 'signal'], ['SIGINT', 'signal'], ['SIGHUP', 'signal'], ['SIGKILL', 'signal'], ['SIGKILL', 'blocked'], ['SIGABRT', 'abort'],
    ['SIGSEGV', 'crash']
  ])('%s (%s)', async (signal, how) => {
    /* A sanitizer would make an exit of a crash. */
    const env = { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:handle_segv=0` }
    const host = await runHost(hostWithChildren, { args: [how], env, onLine: (_, child) => child.kill(signal) })
    expect(host.signal).toBe(signal)
    await host.survivors()
  })
})

describe('killTree: false', () => {
  /** Is killed while one command runs, and another has ended and left a daemon. */
  const hostThatLeaves = async ({ ProcessManager, fixture, print, ready }, containment) => {
    const manager = new ProcessManager({ containment, killTree: false, hostExitTimeout: 50 })
    manager.spawnProcess({ command: fixture('leave-daemon'), args: ['stubborn', '0'] })
    const text = new Promise(resolve => manager.once('stdout', ({ data }) => resolve(data)))
    await new Promise(resolve => manager.once('exit', resolve))
    const running = manager.spawnProcess({ command: fixture('note-signals'), args: ['4'] })
    await ready(manager, running)
    print(Number(/grandchild (\d+)/.exec(await text)[1]))
    process.kill(process.pid, 'SIGKILL')
  }

  withKeeper.each([['tree'], ['nested']])('ends all of what runs, and leaves alone what was left (%s)', async containment => {
    const host = await runHost(hostThatLeaves, { args: [containment] })
    const [daemon] = host.printed
    try {
      expect(host).toMatchObject({ signal: 'SIGKILL', stderr: '', printed: [expect.any(Number)] })
      await expect(host.survivors()).rejects.toThrow(new RegExp(`^The host left behind:\n${daemon} \\S*leave-daemon stubborn 0$`))
      expect(isAlive(daemon)).toBe(true)
    } finally {
      if (isAlive(daemon)) process.kill(daemon, 'SIGKILL')
    }
    await host.survivors()
  })
})

describe('a living process', () => {
  test('keeps the host running until it ends', async () => {
    const host = await runHost(({ ProcessManager, fixture, print }) => {
      const manager = new ProcessManager()
      manager.spawnProcess({ command: fixture('exit-with'), args: ['0', '200'] })
      manager.on('exit', ({ code }) => print(code))
    })
    expect(host).toMatchObject({ code: 0, signal: null, stderr: '', printed: [0] })
  })

  test('that waits for a restart keeps it running too', async () => {
    const host = await runHost(({ ProcessManager, fixture, print }) => {
      const manager = new ProcessManager({ restartDelay: 100 })
      manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, maxRestarts: 1 })
      manager.on('error', ({ error }) => print(error.code))
    })
    expect(host).toMatchObject({ code: 0, stderr: '', printed: ['ERR_RESTART_LIMIT'] })
  })

  test('keeps it running again after ref', async () => {
    const host = await runHost(({ ProcessManager, fixture, print }) => {
      const manager = new ProcessManager()
      manager.unref()
      manager.spawnProcess({ command: fixture('exit-with'), args: ['0', '200'] })
      manager.ref()
      manager.on('exit', ({ code }) => print(code))
    })
    expect(host).toMatchObject({ code: 0, stderr: '', printed: [0] })
  })

  test('with unref set before it starts does not', async () => {
    const host = await runHost(({ ProcessManager, fixture, print }) => {
      const manager = new ProcessManager().unref()
      manager.spawnProcess({ command: fixture('say-ready') })
      manager.on('exit', print)
      process.on('exit', () => print('end'))
    })
    expect(host).toMatchObject({ code: 0, stderr: '', printed: ['end'] })
    await host.survivors()
  })
})

describe('a host without living processes', () => {
  test.each([
    ['that only made managers', ({ ProcessManager }) => { for (let i = 0; i < 20; i++) new ProcessManager() }],
    ['whose processes have ended', ({ ProcessManager, fixture }) => {
      new ProcessManager().spawnProcess({ command: fixture('exit-with'), args: ['0'] })
    }],
    ['that stopped them', async ({ ProcessManager, fixture, ready }) => {
      const manager = new ProcessManager()
      const id = manager.spawnProcess({ command: fixture('say-ready') })
      await ready(manager, id)
      await manager.stopProcess(id)
    }],
    ['that cleaned up', async ({ ProcessManager, fixture }) => {
      const manager = new ProcessManager()
      manager.spawnProcess({ command: fixture('say-ready') })
      await manager.cleanup()
    }]
  ])('ends by itself: %s', async (_, body) => {
    const host = await runHost(body, { limit: 10000 })
    expect(host).toMatchObject({ code: 0, signal: null, stderr: '' })
    await host.survivors()
  })
})

describe('events that take a host down elsewhere', () => {
  test('an error event without a listener is a warning', async () => {
    const host = await runHost(async ({ ProcessManager, print }) => {
      process.on('warning', ({ name, code, message }) => print({ name, code, message }))
      const manager = new ProcessManager()
      manager.spawnProcess({ id: 'server', command: '/none' })
      await new Promise(resolve => setTimeout(resolve, 50))
      print(manager.getProcessStatus('server').error.code)
    }, { nodeArgs: ['--no-warnings'] })
    expect(host).toMatchObject({ code: 0, stderr: '' })
    expect(host.printed).toEqual([
      { name: 'ProcessManagerWarning', code: 'ENOENT', message: expect.stringContaining('server') }, 'ENOENT'
    ])
  })

  test('what a listener throws is an uncaught exception, and all else goes on', async () => {
    const host = await runHost(async ({ ProcessManager, fixture, print }) => {
      const caught = []
      process.on('uncaughtException', error => caught.push(error.message))
      const manager = new ProcessManager()
      const counts = { line: 0, stdout: 0, exit: 0 }
      for (const event of ['spawn', 'stdout', 'line', 'exit', 'stop', 'error', 'backoff']) {
        manager.on(event, () => { throw new Error(event) })
      }
      const heard = new Set()
      const boom = manager.rawListeners('stdout').length
      manager.prependListener('line', () => counts.line++)
      manager.prependListener('stdout', () => counts.stdout++)
      manager.prependListener('exit', ({ processId }) => { counts.exit++; heard.add(processId) })
      for (let i = 0; i < 5; i++) manager.spawnProcess({ command: fixture('numbered-lines'), args: ['10'] })
      manager.spawnProcess({ command: '/none' })
      const id = manager.spawnProcess({ command: fixture('say-ready') })
      while (counts.exit < 5) await new Promise(resolve => setTimeout(resolve, 5))
      print(await manager.stopProcess(id))
      await manager.cleanup()
      await new Promise(resolve => setTimeout(resolve, 20))
      print({ counts, heard: heard.size, boom })
      const of = name => caught.filter(message => message === name).length
      print([of('spawn'), of('line'), of('exit'), of('stop'), of('error')])
    })
    expect(host).toMatchObject({ code: 0, stderr: '' })
    const [stopped, { counts, heard }, thrown] = host.printed
    expect(stopped).toBe(true)
    expect(counts).toMatchObject({ line: 51, exit: 6 })
    expect(heard).toBe(6)
    expect(thrown).toEqual([6, 51, 6, 1, 1])
  })

  test('an exception that nobody catches ends the host, with nothing left', async () => {
    const host = await runHost(({ ProcessManager, fixture }) => {
      const manager = new ProcessManager()
      manager.on('stdout', () => { throw new Error('on purpose') })
      for (let i = 0; i < 5; i++) manager.spawnProcess({ command: fixture('say-ready') })
    })
    expect(host.code).toBe(1)
    expect(host.stderr).toContain('on purpose')
    await host.survivors()
  })
})

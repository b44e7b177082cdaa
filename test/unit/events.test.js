'use strict'

const { on: iterate, once: firstOf, errorMonitor } = require('node:events')
const { makeManager, record, once, exitOf, startReady, run, anyUsage } = require('../support/manager')
const { fixture, until } = require('../support/children')

const turn = () => new Promise(resolve => setImmediate(resolve))

describe('the payload of', () => {
  test('spawn', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('say-ready') })
    const { pid } = manager.getProcessStatus(id)
    expect(await once(manager, 'spawn')).toEqual({ processId: id, pid, restarts: 0 })
  })

  test('stdout and stderr', async () => {
    const manager = makeManager()
    const seen = record(manager, ['stdout', 'stderr'])
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', 'echo out; echo err >&2'] })
    await exitOf(manager, id)
    expect(seen).toHaveLength(2)
    expect(seen).toContainEqual(['stdout', { processId: id, data: 'out\n' }])
    expect(seen).toContainEqual(['stderr', { processId: id, data: 'err\n' }])
  })

  test('line', async () => {
    const manager = makeManager()
    const seen = record(manager, ['line'])
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', 'printf "one\\r\\n\\ntwo"; echo err >&2'] })
    await exitOf(manager, id)
    expect(seen.map(([, line]) => line).filter(({ stream }) => stream === 'stdout')).toEqual([
      { processId: id, stream: 'stdout', line: 'one' },
      { processId: id, stream: 'stdout', line: '' },
      { processId: id, stream: 'stdout', line: 'two' }
    ])
    expect(seen).toContainEqual(['line', { processId: id, stream: 'stderr', line: 'err' }])
  })

  test('exit, by code', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['3', '20'] })
    const { pid } = manager.getProcessStatus(id)
    const payload = await exitOf(manager, id)
    expect(payload).toEqual({
      processId: id, code: 3, signal: null, pid, uptime: expect.any(Number), restarts: 0, unsent: 0, requested: false, limit: null,
      resourceUsage: anyUsage()
    })
    expect(payload.uptime).toBeGreaterThanOrEqual(0.02)
    expect(payload.uptime).toBeLessThan(20)
  })

  test.each([['SIGHUP', 1], ['SIGABRT', 6], ['SIGKILL', 9], ['SIGUSR1', 10], ['SIGPIPE', 13], ['SIGXFSZ', 25]])(
    'exit, by %s', async (signal, number) => {
      const { exit } = await run(makeManager(), { command: fixture('die-by'), args: [String(number)] })
      expect(exit).toMatchObject({ code: null, signal })
    })

  test('exit has codes up to 255 as they are', async () => {
    for (const code of [0, 1, 127, 128, 137, 255]) {
      const { exit } = await run(makeManager(), { command: fixture('exit-with'), args: [String(code)] })
      expect(exit).toMatchObject({ code, signal: null })
    }
  })

  test('error', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: '/none' })
    const payload = await once(manager, 'error')
    expect(Object.keys(payload).sort()).toEqual(['error', 'processId'])
    expect(payload.processId).toBe(id)
    expect(payload.error).toMatchObject({ name: 'Error', code: 'ENOENT', errno: -2, syscall: 'execve', path: '/none' })
  })

  test('restart and backoff', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, restartDelay: 5, restartJitter: 0 })
    const [backoff, restart] = await Promise.all([once(manager, 'backoff'), once(manager, 'restart')])
    expect(backoff).toEqual({ processId: id, delay: 5, restarts: 0 })
    expect(restart).toEqual({ processId: id, restarts: 1, pid: expect.any(Number) })
    expect(restart.pid).toBeGreaterThan(1)
  })

  test('stop', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    manager.stopProcess(id)
    const payload = await once(manager, 'stop')
    expect(payload).toEqual({
      processId: id, stopped: true, step: 'SIGTERM', code: null, signal: 'SIGTERM', duration: payload.duration, killed: 0, left: 0,
      survivors: []
    })
    expect(payload.duration).toBeGreaterThanOrEqual(0)
  })
})

describe('order', () => {
  test('nothing is emitted within a call, everything in a later turn', async () => {
    const manager = makeManager({ maxProcesses: 2 })
    const seen = record(manager)
    manager.spawnProcess({ id: 'good', command: fixture('say-ready') })
    manager.spawnProcess({ id: 'bad', command: '/none' })
    manager.stopProcess('good', 0)
    manager.restartProcess('bad')
    manager.writeStdin('good', 'x')
    expect(seen).toEqual([])
    await Promise.resolve()
    await new Promise(resolve => process.nextTick(resolve))
    expect(seen).toEqual([])
    await once(manager, 'stop')
  })

  test('spawn comes before all output, exit after all of it', async () => {
    const manager = makeManager()
    const seen = record(manager, ['spawn', 'stdout', 'stderr', 'line', 'exit'])
    for (let i = 0; i < 20; i++) manager.spawnProcess({ command: 'sh', args: ['-c', 'echo out; echo err >&2; printf rest'] })
    await once(manager, 'exit', () => seen.filter(([name]) => name === 'exit').length === 20)
    for (const { id } of manager.listProcesses()) {
      const own = seen.filter(([, { processId }]) => processId === id)
      expect(own[0][0]).toBe('spawn')
      expect(own.at(-1)[0]).toBe('exit')
      const text = own.filter(([name]) => name === 'stdout').map(([, { data }]) => data).join('')
      expect(text).toBe('out\nrest')
      expect(own.filter(([name, { line }]) => name === 'line' && line === 'rest')).toHaveLength(1)
      expect(own.filter(([name]) => name === 'exit')).toHaveLength(1)
    }
  })

  test('exit comes though somebody else holds stdout', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('spawn-grandchild'), args: ['setsid', '4'], killTree: false })
    const [{ data }, exit] = await Promise.all([
      once(manager, 'stdout', ({ data }) => data.includes('grandchild')), exitOf(manager, id)
    ])
    expect(exit.code).toBe(4)
    process.kill(Number(/\d+/.exec(data)[0]), 'SIGKILL')
  })

  test('what is written after the exit goes to the log, not to listeners', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('spawn-grandchild'), args: ['setsid-late', '0'], containment: 'group' })
    const first = once(manager, 'stdout')
    await exitOf(manager, id)
    const grandchild = Number(/\d+/.exec((await first).data)[0])
    const late = record(manager, ['stdout', 'line'])
    process.kill(grandchild, 'SIGUSR1')
    await until(() => manager.getProcessLogs(id).stdout.includes('late'), 'the late line is in the log')
    process.kill(grandchild, 'SIGKILL')
    await turn()
    expect(late).toEqual([])
  })
})

describe('an error event that nobody listens to', () => {
  test('throws nothing here, and the status keeps the error', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: '/none' })
    const other = await startReady(manager, { command: fixture('say-ready') })
    await turn()
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'error' })
    expect(manager.getProcessStatus(id).error.code).toBe('ENOENT')
    expect(manager.getProcessStatus(other).status).toBe('running')
  })

  test('still reaches an errorMonitor', async () => {
    const manager = makeManager()
    const seen = []
    manager.on(errorMonitor, payload => seen.push(payload))
    manager.spawnProcess({ command: '/none' })
    const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] })
    await exitOf(manager, id)
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ processId: 'proc_1000', error: { code: 'ENOENT' } })
  })
})

describe('listeners', () => {
  const numbers = { command: fixture('numbered-lines'), args: ['3'] }

  test('added while a process runs hear what comes from then on', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const log = async text => {
        await until(() => manager.getProcessLogs(id).stdout.includes(text), `${text} is in the log`)
    }
    manager.writeStdin(id, 'first\n')
    await log('first')
    const seen = record(manager, ['stdout'])
    manager.writeStdin(id, 'second\n')
    await log('second')
    await turn()
    manager.removeAllListeners('stdout')
    manager.writeStdin(id, 'third\n')
    await log('third')
    expect(seen).toEqual([['stdout', { processId: id, data: 'second\n' }]])
  })

  test.each(['on', 'addListener', 'prependListener', 'once', 'prependOnceListener'])('added by %s hear output', async method => {
    const manager = makeManager()
    const heard = []
    manager[method]('stdout', ({ data }) => heard.push(data))
    manager[method]('line', ({ line }) => heard.push(line))
    const id = manager.spawnProcess(numbers)
    await exitOf(manager, id)
    expect(heard).toContain('1')
    expect(heard.join('')).toContain('1\n')
    if (method.toLowerCase().includes('once')) {
      expect(heard).toHaveLength(2)
      expect(manager.listenerCount('line') + manager.listenerCount('stdout')).toBe(0)
    }
  })

  test.each([['removeListener'], ['off'], ['removeAllListeners']])('removed by %s hear nothing more', async method => {
    const manager = makeManager()
    const heard = []
    const listener = payload => heard.push(payload)
    for (const event of ['stdout', 'line']) {
      manager.on(event, listener)
      manager[method](event, listener)
    }
    const id = manager.spawnProcess(numbers)
    await exitOf(manager, id)
    expect(heard).toEqual([])
    expect(manager.getProcessLogs(id).stdout).toEqual(['1', '2', '3'])
  })

  test('all removed at once', async () => {
    const manager = makeManager()
    const heard = record(manager, ['stdout', 'line', 'spawn'])
    manager.removeAllListeners()
    await exitOf(manager, manager.spawnProcess(numbers))
    expect(heard).toEqual([])
  })

  test('may remove themselves and add others while an event is out', async () => {
    const manager = makeManager()
    const heard = []
    const first = ({ line }) => {
      heard.push(`first ${line}`)
      manager.removeListener('line', first)
      manager.on('line', second)
    }
    const second = ({ line }) => heard.push(`second ${line}`)
    manager.on('line', first)
    await exitOf(manager, manager.spawnProcess(numbers))
    expect(heard).toEqual(['first 1', 'second 2', 'second 3'])
  })

  test('of events.once and events.on hear as any others', async () => {
    const manager = makeManager()
    const lines = iterate(manager, 'line')
    const first = firstOf(manager, 'stdout')
    manager.spawnProcess(numbers)
    expect((await first)[0].data).toBe('1\n2\n3\n')
    for (const wanted of ['1', '2', '3']) expect((await lines.next()).value[0].line).toBe(wanted)
    await lines.return()
    expect(manager.listenerCount('line')).toBe(0)
  })

  test('that are no functions are refused, and nothing changes', () => {
    const manager = makeManager()
    for (const method of ['on', 'addListener', 'once', 'prependListener']) {
      expect(() => manager[method]('line', 'x')).toThrow(/listener/)
    }
    expect(manager.listenerCount('line')).toBe(0)
  })

  test('on and the others return the manager', () => {
    const manager = makeManager()
    const listener = () => {}
    for (const method of ['on', 'addListener', 'prependListener', 'once', 'prependOnceListener', 'off', 'removeListener']) {
      expect(manager[method]('line', listener)).toBe(manager)
    }
    expect(manager.removeAllListeners()).toBe(manager)
  })
})

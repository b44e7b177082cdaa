'use strict'

// The wrapper's protocol, as a host in any language speaks it. What passes is checked
// against the schema after each test.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { fixture, isAlive, until } = require('../support/children')
const { survivorsWith } = require('../setup/survivors')
const { Wrapper, schema, expectForm } = require('../support/wrapper')

const ready = (extra = {}) => ({ command: fixture('say-ready'), ...extra })

test('initialize tells versions, events and methods, all of which the schema knows', async () => {
  const wrapper = new Wrapper()
  const info = await wrapper.initialize()
  expect(info).toMatchObject({ protocol: 1, version: require('../../package.json').version, node: process.version, pid: wrapper.child.pid })
  const { params, results, events } = schema.definitions
  expect([...info.events].sort()).toEqual(Object.keys(events).sort())
  expect([...info.methods].sort()).toEqual(Object.keys(params).sort())
  expect(Object.keys(results).sort()).toEqual(Object.keys(params).sort())
})

test('every method of the class can be called, and each answer has its form', async () => {
  const wrapper = new Wrapper()
  await wrapper.initialize({ maxProcesses: 5, monitorInterval: 20, metricsHistory: 10, stopTimeout: null })
  await wrapper.call('subscribe', ...Object.keys(schema.definitions.events))
  const id = await wrapper.call('spawnProcess', ready())
  await wrapper.event('stdout')
  await wrapper.event('metrics')
  const calls = [
    ['ping'], ['getProcessStatus', id], ['getProcessStatus', 'nobody'], ['getProcessMetrics', id], ['getProcessMetrics', id, { pss: true }],
    ['getProcessMetrics', 'nobody'], ['getMetricsHistory', id], ['getMetricsHistory', id, { samples: false, since: null }],
    ['getMetricsHistory', 'nobody'], ['metricsText'], ['getProcessLogs', id], ['getProcessLogs', id, 3], ['getProcessLogs', id, { lines: 1 }],
    ['listProcesses'], ['pauseOutput', id], ['resumeOutput', id], ['writeStdin', id, 'x\n'], ['writeStdin', id, '/w==', 'base64'],
    ['sendMessage', id, { a: null }], ['sendMessage', id, 'text', 'utf8'], ['sendMessage', id, null], ['signalProcess', id, 'SIGCONT'],
    ['signalProcess', id, 18, { tree: true }], ['followLogs', id, { lines: 1 }], ['nextRecords', 1], ['endFollow', 1], ['endFollow', 1],
    ['restartProcess', id], ['closeStdin', id], ['stopProcess', id], ['stopProcess', id, null], ['setHost', { env: { A: 'b', C: null }, cwd: '/' }],
    ['handled', 1], ['unsubscribe', 'line'], ['removeProcess', id], ['stopAll'], ['stopAll', 0], ['cleanup']
  ]
  for (const call of calls) await wrapper.call(...call)
  const called = new Set(wrapper.traffic.filter(({ to }) => to).map(({ to }) => JSON.parse(to).method))
  expect(Object.keys(schema.definitions.params).filter(name => !called.has(name))).toEqual([])
})

test('every event has its form', async () => {
  const wrapper = new Wrapper()
  await wrapper.initialize({ restartDelay: 1, maxSpawnsPerSecond: 2 })
  wrapper.notify('subscribe', ...Object.keys(schema.definitions.events))
  await wrapper.call('spawnProcess', { command: 'sh', args: ['-c', 'echo "{}"; echo stray; echo e >&2; exit 1'], messages: 'json', autoRestart: true, maxRestarts: 1 })
  await wrapper.event('error', ({ error }) => error.code === 'ERR_RESTART_LIMIT')
  await wrapper.call('spawnProcess', { command: '/none' })
  await wrapper.event('error', ({ error }) => error.code === 'ENOENT')
  const id = await wrapper.call('spawnProcess', { command: 'cat', encoding: 'buffer' })
  expect(await wrapper.call('writeStdin', id, 'x'.repeat(1e6))).toBe(false)
  await wrapper.event('drain')
  expect(await wrapper.event('stdout', ({ processId }) => processId === id)).toMatchObject({ base64: true, data: expect.stringMatching(/^eHh4/) })
  await wrapper.call('stopProcess', id)
  const seen = new Set(wrapper.notices.map(({ params }) => params[0]))
  const rare = ['metrics', 'lost', 'queued']
  expect(Object.keys(schema.definitions.events).filter(name => !seen.has(name) && !rare.includes(name))).toEqual([])
})

test('a message that is nested deep is a line', async () => {
  const wrapper = new Wrapper()
  await wrapper.initialize()
  await wrapper.call('subscribe', 'message', 'stray')
  const id = await wrapper.call('spawnProcess', { command: 'cat', messages: 'json' })
  const line = `{"a":[1,{"é":"\\""}],"b":${'['.repeat(20000)}${']'.repeat(20000)}}`
  await wrapper.call('writeStdin', id, `${line}\n{"a":[]}\n`)
  expect(await wrapper.event('stray')).toEqual({ processId: id, line })
  expect(await wrapper.event('message')).toEqual({ processId: id, message: { a: [] } })
})

test('nothing starts while the directory of the host cannot be entered', async () => {
  const wrapper = new Wrapper({ isFaulty: true })
  await wrapper.initialize()
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'wrapper directory ')))
  try {
    const cwd = path.join(root, 'later')
    const cannot = {
      code: -32000, message: `The working directory ${JSON.stringify(cwd)} cannot be entered (ENOENT)`,
      data: { code: 'ERR_WORKING_DIRECTORY', syscall: 'chdir', path: cwd }
    }
    const pwd = ['spawnProcess', { command: 'pwd' }]
    const errorOf = async (...request) => (await wrapper.request(...request)).error
    const id = await wrapper.call('spawnProcess', { command: 'cat' })
    wrapper.notify('setHost', { cwd })
    expect(await errorOf(...pwd)).toMatchObject(cannot)
    expect(await errorOf('restartProcess', id)).toMatchObject(cannot)
    expect(await errorOf('setHost', { env: {} })).toMatchObject(cannot)
    expect(await errorOf('setHost', { cwd: 7 })).toMatchObject({ code: -32602, message: 'cwd must be a string; got 7 (number)' })
    fs.mkdirSync(cwd)
    await wrapper.call('subscribe', 'stdout')
    await wrapper.call(...pwd)
    expect(await wrapper.event('stdout')).toMatchObject({ data: `${cwd}\n` })
  } finally {
    fs.rmSync(root, { recursive: true })
  }
})

test('requests run beside each other', async () => {
  const wrapper = new Wrapper()
  await wrapper.initialize()
  await wrapper.call('subscribe', 'stdout')
  const id = await wrapper.call('spawnProcess', { command: fixture('ignore-term') })
  await wrapper.event('stdout')
  const order = []
  const stop = wrapper.call('stopProcess', id, 60000).then(() => order.push('stop'))
  for (let i = 0; i < 10; i++) order.push((await wrapper.call('getProcessStatus', id)).state)
  await wrapper.call('signalProcess', id, 'SIGKILL')
  await stop
  expect(order).toEqual([...Array(10).fill('stopping'), 'stop'])
})

describe('errors', () => {
  const errorOf = async (wrapper, ...request) => (await wrapper.request(...request)).error

  test('of the manager carry code, message and data', async () => {
    const wrapper = new Wrapper({ isFaulty: true })
    await wrapper.initialize({ maxProcesses: 1 })
    expect(await errorOf(wrapper, 'spawnProcess', {})).toMatchObject({
      code: -32602, message: expect.stringMatching(/^Command is required/), data: { code: 'ERR_COMMAND_REQUIRED', name: 'TypeError' }
    })
    await wrapper.call('spawnProcess', ready())
    expect(await errorOf(wrapper, 'spawnProcess', ready())).toMatchObject({
      code: -32000, message: 'Process limit (1) exceeded', data: { code: 'ERR_PROCESS_LIMIT', name: 'Error' }
    })
    expect(await errorOf(wrapper, 'writeStdin', 'x', 'y')).toMatchObject({ code: -32001, data: { code: 'ERR_UNKNOWN_PROCESS' } })
    expect(await errorOf(wrapper, 'stopProcess', 'x', 'soon')).toMatchObject({ code: -32602, data: { code: 'ERR_INVALID_ARG_TYPE' } })
    expect(await errorOf(wrapper, 'nextRecords', 9)).toMatchObject({ code: -32602, data: { code: 'ERR_UNKNOWN_CURSOR' } })
    expect(await errorOf(wrapper, 'writeStdin', 'x', 'y', 'utf16')).toMatchObject({ code: -32602, data: { code: 'ERR_INVALID_PARAMS' } })
    expect(await errorOf(wrapper, 'subscribe', 'exits')).toMatchObject({ code: -32602, data: { code: 'ERR_UNKNOWN_EVENT' } })
  }, 20000)

  test('of the protocol', async () => {
    const wrapper = new Wrapper({ isFaulty: true })
    expect(await errorOf(wrapper, 'listProcesses')).toMatchObject({ code: -32600, data: { code: 'ERR_NOT_INITIALIZED' } })
    expect(await errorOf(wrapper, 'initialize', { protocol: 99 })).toMatchObject({
      code: -32002, message: expect.stringMatching(/speaks protocol 1, not 99$/), data: { code: 'ERR_PROTOCOL_VERSION', protocol: 1 }
    })
    expect(await errorOf(wrapper, 'initialize', { protocol: 1, options: { maxProcesses: 'x' } })).toMatchObject({ code: -32602 })
    expect(await errorOf(wrapper, 'initialize', { protocol: 1, hostPid: 'me' })).toMatchObject({ code: -32602 })
    await wrapper.initialize()
    expect(await errorOf(wrapper, 'initialize', { protocol: 1 })).toMatchObject({ code: -32600, data: { code: 'ERR_INITIALIZED' } })
    for (const name of ['on', 'emit', 'constructor', '__proto__', 'toString', 'ref']) {
      expect(await errorOf(wrapper, name)).toMatchObject({ code: -32601, data: { code: 'ERR_UNKNOWN_METHOD' } })
    }
    expect(await wrapper.send({ jsonrpc: '2.0', id: 'text', method: 'ping' })).toEqual({ jsonrpc: '2.0', id: 'text', result: null })
    expect((await wrapper.send({ jsonrpc: '2.0', id: 'named', method: 'ping', params: {} })).error).toMatchObject({ code: -32602 })
    expect((await wrapper.send({ id: 'old', method: 'ping' })).error).toMatchObject({ code: -32600 })
    for (const [line, code] of [['{"', -32700], ['7', -32600], ['{"jsonrpc":"2.0","id":[],"method":"ping"}', -32600], ['', -32700]]) {
      wrapper.notices.length = 0
      wrapper.write(`${line}\n`)
      const message = await wrapper.notice(({ id }) => id === null)
      expect(message.error.code).toBe(code)
      expectForm('failure', message)
    }
  })

  test('a notification is not answered, whatever comes of it', async () => {
    const wrapper = new Wrapper({ isFaulty: true })
    await wrapper.initialize()
    wrapper.notify('spawnProcess', {})
    wrapper.notify('stopProcess', 'x', 'soon')
    await wrapper.call('ping')
    await wrapper.call('ping')
    expect(wrapper.notices).toEqual([])
  })
})

test('lines may come in pieces, inside of characters too, and many at a time', async () => {
  const wrapper = new Wrapper({ isFaulty: true })
  await wrapper.initialize()
  const bytes = Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id: 'é', method: 'spawnProcess', params: [{ command: 'cat', id: 'ü🦊' }] })}\n`)
  for (const byte of bytes) {
    wrapper.write(Buffer.from([byte]))
    await new Promise(resolve => setImmediate(resolve))
  }
  expect(await wrapper.notice(({ id }) => id === 'é')).toMatchObject({ result: 'ü🦊' })
  wrapper.write('{"jsonrpc":"2.0","id":"a","method":"ping"}\n'.repeat(100))
  await until(() => wrapper.notices.filter(({ id }) => id === 'a').length === 100, 'all were answered')
})

test('what prints in the wrapper is outside of the protocol', async () => {
  const wrapper = new Wrapper({ nodeArgs: ['-e', 'console.log("stray"); console.error("stray"); require(process.argv[1])'] })
  await wrapper.initialize()
  expect(wrapper.said).toBe('stray\nstray\n')
})

test('a process warning is told', async () => {
  const wrapper = new Wrapper()
  await wrapper.initialize()
  await wrapper.call('spawnProcess', { id: 'server', command: '/none' })
  const { params } = await wrapper.notice(({ method }) => method === 'warning')
  expect(params).toMatchObject({ name: 'ProcessManagerWarning', code: 'ENOENT', message: expect.stringContaining('server') })
})

describe('a host that does not keep up', () => {
  const lagging = async command => {
    const wrapper = new Wrapper()
    await wrapper.initialize()
    await wrapper.call('subscribe', 'stdout', 'stderr', 'lost')
    return [wrapper, await wrapper.call('spawnProcess', { command: 'sh', args: ['-c', command] })]
  }
  const bytesOf = ({ traffic }) => traffic.reduce((sum, { from = '' }) => sum + Buffer.byteLength(from) + 1, 0)

  test('holds back stdout, of which nothing is lost', async () => {
    const [wrapper, id] = await lagging('head -c 20000000 /dev/zero | tr "\\0" x')
    const paused = async () => (await wrapper.call('getProcessStatus', id)).output.stdout.paused
    while (!await paused()) await new Promise(resolve => setTimeout(resolve, 5))
    expect(bytesOf(wrapper)).toBeLessThan(8e6)
    const total = () => wrapper.notices.reduce((sum, { params }) => sum + (params[0] === 'stdout' ? params[1].data.length : 0), 0)
    while (total() < 20000000) {
      wrapper.notify('handled', bytesOf(wrapper))
      await wrapper.call('ping')
    }
    expect(total()).toBe(20000000)
  })

  test('is not sent what it has no room for of stderr, and told how much', async () => {
    const [wrapper, id] = await lagging('head -c 40000000 /dev/zero | tr "\\0" x >&2')
    while ((await wrapper.call('getProcessStatus', id)).state === 'running') await new Promise(resolve => setTimeout(resolve, 5))
    expect(bytesOf(wrapper)).toBeGreaterThan(16e6)
    expect(bytesOf(wrapper)).toBeLessThan(24e6)
    wrapper.notify('handled', bytesOf(wrapper))
    expect(await wrapper.event('lost')).toEqual({ processId: id, event: 'stderr', count: expect.any(Number) })
    expectForm('fromWrapper', wrapper.notices.at(-1))
  })

  test('gets on when one of those that it held back was removed', async () => {
    const [wrapper, removed] = await lagging('exec yes')
    const isPaused = async id => (await wrapper.call('getProcessStatus', id)).output.stdout.paused
    while (!await isPaused(removed)) await new Promise(resolve => setTimeout(resolve, 5))
    const other = await wrapper.call('spawnProcess', { command: 'yes' })
    while (!await isPaused(other)) await new Promise(resolve => setTimeout(resolve, 5))
    await wrapper.call('stopProcess', removed)
    expect(await wrapper.call('removeProcess', removed)).toBe(true)
    const count = () => wrapper.notices.filter(({ params }) => params[1].processId === other).length
    const before = count()
    wrapper.notify('handled', bytesOf(wrapper))
    await until(() => count() > before, 'the other went on')
  })

  test('does not take back a pause that was asked for', async () => {
    const [wrapper, id] = await lagging('while :; do echo; done')
    await wrapper.event('stdout')
    await wrapper.call('pauseOutput', id)
    wrapper.notify('handled', bytesOf(wrapper))
    expect((await wrapper.call('getProcessStatus', id)).output.stdout.paused).toBe(true)
  })
})

describe('the end', () => {
  test('of the pipe is the end of all', async () => {
    const wrapper = new Wrapper()
    await wrapper.initialize()
    const id = await wrapper.call('spawnProcess', ready({ env: { PM_WRAPPER_TEST: String(wrapper.child.pid) } }))
    const { pid } = await wrapper.call('getProcessStatus', id)
    expect(isAlive(pid)).toBe(true)
    expect(await wrapper.close()).toEqual({ code: 0, signal: null })
    await until(() => survivorsWith('PM_WRAPPER_TEST', String(wrapper.child.pid)).length === 0, 'nothing was left')
  })

  test('of a host whose copy holds the pipes', async () => {
    const wrapper = new Wrapper()
    const host = require('node:child_process').spawn('cat')
    await wrapper.initialize({}, { hostPid: host.pid })
    host.kill()
    expect(await wrapper.ended).toEqual({ code: null, signal: 'SIGKILL' })
  })

  test('of a host that has gone before', async () => {
    const host = require('node:child_process').spawnSync('true')
    const wrapper = new Wrapper({ isFaulty: true })
    await expect(wrapper.initialize({}, { hostPid: host.pid })).rejects.toThrow('The wrapper ended: 0')
  })
})

test('a Node that is too old is told so', async () => {
  const pretend = 'Object.defineProperty(process, "version", { value: "v12.1.0" }); Object.defineProperty(process.versions, "node", { value: "12.1.0" })'
  const wrapper = new Wrapper({ nodeArgs: ['-e', `${pretend}; require(process.argv[1])`] })
  const message = await wrapper.notice(({ id }) => id === null)
  expect(message.error).toMatchObject({ code: -32002, message: 'mcp-process-manager needs Node.js 20 or later; this is v12.1.0', data: { code: 'ERR_NODE_VERSION' } })
  expect(await wrapper.ended).toEqual({ code: 1, signal: null })
})

test('the program is plain enough for the Node that it has to refuse', () => {
  const text = fs.readFileSync(require.resolve('../../lib/process-manager-wrapper.js'), 'utf8')
  expect(text).not.toMatch(/=>|\?\.|\?\?|#\w+|`|\blet\b|class |require\('node:|\.\.\./)
})

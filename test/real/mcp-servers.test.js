'use strict'

// Real MCP servers, driven by the official SDK through a manager.

const { randomUUID } = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Client } = require('@modelcontextprotocol/sdk/client/index.js')
const { ManagedTransport } = require('../../examples/support/managed-transport')
const servers = require('../../examples/support/servers')
const { survivorsWith } = require('../setup/survivors')
const { isAlive, look, until } = require('../support/children')
const { exitOf, makeManager, once } = require('../support/manager')

const COOKIE = 'PM_REAL_COOKIE'
const root = path.join(__dirname, '..', '..')
let manager, cookie, directory

beforeEach(() => {
  manager = makeManager()
  cookie = randomUUID()
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-servers-'))
})

afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true })
})

async function connect (id) {
  const client = new Client({ name: 'mcp-process-manager-tests', version: '1.0.0' })
  const transport = new ManagedTransport(manager, id)
  await client.connect(transport)
  return { client, transport }
}

/** Starts a server and speaks with it. */
async function begin (config) {
  const id = manager.spawnProcess({ messages: 'json', ...config, env: { ...config.env, [COOKIE]: cookie } })
  return { id, ...await connect(id) }
}

const left = () => survivorsWith(COOKIE, cookie)
const closed = client => new Promise(resolve => { client.onclose = resolve })

async function call (client, name, args) {
  const { content, isError } = await client.callTool({ name, arguments: args })
  if (isError) throw new Error(content[0].text)
  return content[0].text
}

const echo = (client, message) => call(client, 'echo', { message })

describe.each([
  {
    name: 'everything',
    config: () => servers.everything(),
    prepare: async () => {},
    ask: (client, i) => echo(client, `message ${i}`),
    answer: i => `Echo: message ${i}`
  },
  {
    name: 'filesystem',
    config: () => servers.filesystem(directory),
    prepare: async (client, count) => {
      for (let i = 0; i < count; i++) fs.writeFileSync(path.join(directory, `${i}.txt`), `text ${i}`)
    },
    ask: (client, i) => call(client, 'read_text_file', { path: path.join(directory, `${i}.txt`) }),
    answer: i => `text ${i}`
  },
  {
    name: 'memory',
    config: () => servers.memory(directory),
    prepare: (client, count) => call(client, 'create_entities', {
      entities: Array.from({ length: count }, (_, i) => ({ name: `thing ${i}`, entityType: 'thing', observations: [] }))
    }),
    ask: async (client, i) => JSON.parse(await call(client, 'open_nodes', { names: [`thing ${i}`] })).entities.map(e => e.name).join(),
    answer: i => `thing ${i}`
  }
])('server-$name', ({ name, config, prepare, ask, answer }) => {
  test('is initialized, lists its tools, answers many calls at once, and leaves when its stdin is closed', async () => {
    const count = 50
    const { id, client } = await begin({ ...config(), autoRestart: true })
    expect(id).toBe(name)
    expect(client.getServerVersion()).toMatchObject({ name: expect.any(String), version: expect.any(String) })
    const { tools } = await client.listTools()
    expect(tools.length).toBeGreaterThan(5)

    await prepare(client, count)
    const numbers = Array.from({ length: count }, (_, i) => i)
    expect(await Promise.all(numbers.map(i => ask(client, i)))).toEqual(numbers.map(answer))

    const exit = exitOf(manager, id)
    const hangup = closed(client)
    manager.closeStdin(id)
    expect(await exit).toMatchObject({ code: 0, signal: null, restarts: 0, unsent: 0 })
    await hangup
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', pid: 0, restarts: 0, exitCode: 0 })
    expect(left()).toEqual([])
  })
})

describe('messages', () => {
  test('of a megabyte go both ways unharmed', async () => {
    const { client } = await begin(servers.everything())
    // Three bytes a character: the borders of chunks fall inside of some.
    const message = '€'.repeat((1 << 20) / 3) + 'end'
    expect(await echo(client, message) === `Echo: ${message}`).toBe(true)
  })

  test('that the queue of stdin has no room for are refused, and the next one is answered', async () => {
    const { client } = await begin({ ...servers.everything(), maxStdinBytes: 100_000 })
    await expect(echo(client, 'x'.repeat(100_000))).rejects.toMatchObject({ code: 'ERR_STDIN_FULL' })
    expect(await echo(client, 'small')).toBe('Echo: small')
  })

  test.each(['buffer', 'utf8'])('arrive with encoding %s', async encoding => {
    const { client } = await begin({ ...servers.everything(), encoding })
    expect(await echo(client, 'grün 🌱')).toBe('Echo: grün 🌱')
  })
})

describe('a server that does not read', () => {
  const long = { jsonrpc: '2.0', method: 'notifications/test', params: { text: 'x'.repeat(1 << 20) } }

  async function beginSuspended () {
    const begun = await begin(servers.everything())
    const { pid } = manager.getProcessStatus(begun.id)
    process.kill(pid, 'SIGSTOP')
    await until(() => look(pid).state === 'T', 'the server was suspended')
    return { ...begun, pid }
  }

  test('holds the sender back until it reads again', async () => {
    const { pid, client, transport } = await beginSuspended()
    let sent = false
    const sending = transport.send(long).then(() => { sent = true })
    await new Promise(resolve => setImmediate(resolve))
    expect(sent).toBe(false)
    process.kill(pid, 'SIGCONT')
    await sending
    expect(await echo(client, 'awake')).toBe('Echo: awake')
  })

  test('fails what it was sent when it dies', async () => {
    const { id, pid, transport } = await beginSuspended()
    const refusal = expect(transport.send(long)).rejects.toThrow('The process ended')
    const exit = exitOf(manager, id)
    process.kill(pid, 'SIGKILL')
    await refusal
    expect((await exit).unsent).toBeGreaterThan(0)
  })
})

describe('a server that is killed in the middle of a call', () => {
  test('fails the call, is restarted, and answers a new client', async () => {
    const { id, client } = await begin({ ...servers.everything(), autoRestart: true, restartDelay: 20 })
    const { pid } = manager.getProcessStatus(id)
    // The first progress notification shows that the call is under way.
    let call
    await new Promise(resolve => {
      const request = { name: 'trigger-long-running-operation', arguments: { duration: 600, steps: 6000 } }
      call = client.callTool(request, undefined, { onprogress: resolve })
      call.catch(() => {})
    })
    const events = Promise.all([exitOf(manager, id), once(manager, 'restart', ({ processId }) => processId === id)])
    process.kill(pid, 'SIGKILL')
    const [exit, restart] = await events
    expect(exit).toMatchObject({ pid, code: null, signal: 'SIGKILL' })
    expect(restart).toMatchObject({ restarts: 1 })
    expect(restart.pid).not.toBe(pid)
    await expect(call).rejects.toThrow('Connection closed')

    const next = await connect(id)
    expect(await echo(next.client, 'again')).toBe('Echo: again')
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'running', pid: restart.pid, restarts: 1 })
  })
})

describe('the end of a server', () => {
  test('comes by SIGTERM when it is stopped, well within the timeout', async () => {
    const { id, client } = await begin(servers.everything())
    const { pid } = manager.getProcessStatus(id)
    expect(left()).toHaveLength(1)
    const stop = once(manager, 'stop')
    const hangup = closed(client)
    expect(await manager.stopProcess(id, 10_000)).toBe(true)
    expect(left()).toEqual([])
    expect(isAlive(pid)).toBe(false)
    expect(await stop).toMatchObject({ processId: id, stopped: true, step: 'SIGTERM', survivors: [] })
    expect((await stop).duration).toBeLessThan(10_000)
    await hangup
    await expect(echo(client, 'too late')).rejects.toThrow('Not connected')
  })

  test('comes by SIGKILL at once with a timeout of 0, also while it is suspended', async () => {
    const { id } = await begin(servers.everything())
    const stop = once(manager, 'stop')
    process.kill(manager.getProcessStatus(id).pid, 'SIGSTOP')
    expect(await manager.stopProcess(id, 0)).toBe(true)
    expect(left()).toEqual([])
    expect(await stop).toMatchObject({ stopped: true, step: 'SIGKILL' })
  })

  test('comes by itself when the transport is closed', async () => {
    const { id, client } = await begin(servers.everything())
    const exit = exitOf(manager, id)
    await client.close()
    expect(await exit).toMatchObject({ code: 0, signal: null })
    expect(left()).toEqual([])
  })
})

describe('a server that does not come up', () => {
  async function failToConnect (config) {
    const errors = []
    const client = new Client({ name: 'mcp-process-manager-tests', version: '1.0.0' })
    client.onerror = error => errors.push(error.message)
    const id = manager.spawnProcess({ messages: 'json', ...config })
    const failure = await client.connect(new ManagedTransport(manager, id)).catch(error => error)
    return { errors, failure }
  }

  test('tells its exit code and its last words', async () => {
    const { errors, failure } = await failToConnect({ command: 'sh', args: ['-c', 'read -r line; echo no config >&2; exit 3'] })
    expect(failure.message).toContain('Connection closed')
    expect(errors).toEqual(['The process ended with code 3\nno config'])
  })

  test('tells that there is no such command', async () => {
    const reported = once(manager, 'error')
    const { failure } = await failToConnect({ command: path.join(directory, 'missing') })
    expect(failure).toMatchObject({ code: 'ENOENT', syscall: 'execve', path: path.join(directory, 'missing') })
    expect((await reported).error.code).toBe('ENOENT')
  })
})

describe('a server behind npx', () => {
  const npx = { id: 'npx', command: 'npx', args: ['--offline', '--no', 'mcp-server-everything'], workingDir: root }

  test('answers, and goes with all that stands before it', async () => {
    const { id, client } = await begin(npx)
    expect(await echo(client, 'through npm')).toBe('Echo: through npm')
    const { pid } = manager.getProcessStatus(id)
    // npm itself, and the server as another process below it.
    expect(left()).toContainEqual(expect.stringMatching(new RegExp(`^${pid} npm`)))
    expect(left().filter(line => !line.startsWith(`${pid} `))).toContainEqual(expect.stringMatching(/node .*mcp-server-everything/))
    expect(await manager.stopProcess(id, 10_000)).toBe(true)
    expect(left()).toEqual([])
  })

  test('is gone after a stop when npx was killed before', async () => {
    const { id } = await begin(npx)
    const { pid } = manager.getProcessStatus(id)
    expect(left().length).toBeGreaterThan(1)
    const exit = exitOf(manager, id)
    process.kill(pid, 'SIGKILL')
    expect(await exit).toMatchObject({ signal: 'SIGKILL' })
    expect(await manager.stopProcess(id, 10_000)).toBe(true)
    expect(left()).toEqual([])
  })
})

test('three servers end together, all at once', async () => {
  const configs = [servers.everything(), servers.filesystem(directory), servers.memory(directory)]
  await Promise.all(configs.map(begin))
  expect(manager.listProcesses().map(({ id, status }) => [id, status])).toEqual([
    ['everything', 'running'], ['filesystem', 'running'], ['memory', 'running']
  ])
  expect(left()).toHaveLength(3)
  await manager.cleanup()
  expect(left()).toEqual([])
})

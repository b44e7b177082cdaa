'use strict'

// Each example, run as a user runs it: it ends by itself, says what it promises,
// and leaves neither a process nor a file behind.

const { spawn } = require('node:child_process')
const { randomUUID } = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { text } = require('node:stream/consumers')
const { survivorsWith } = require('../setup/survivors')
const { until } = require('../support/children')

const COOKIE = 'PM_EXAMPLE_COOKIE'
const running = new Set()
let cookie, directory

beforeEach(() => {
  cookie = randomUUID()
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-examples-'))
})

afterEach(async () => {
  await Promise.all([...running].map(({ child, exit }) => {
    child.kill('SIGKILL')
    return exit
  }))
  running.clear()
  fs.rmSync(directory, { recursive: true, force: true })
})

/** Starts an example; its processes carry the cookie, its files are in `directory`. */
function start (name) {
  const script = path.join(__dirname, '..', '..', 'examples', name)
  const { PM_TEST_PRELOAD, ...env } = process.env
  if (PM_TEST_PRELOAD) env.LD_PRELOAD = PM_TEST_PRELOAD
  const child = spawn(process.execPath, [script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, [COOKIE]: cookie, TMPDIR: directory }
  })
  const example = { child, exit: once(child, 'exit'), stdout: text(child.stdout), stderr: text(child.stderr) }
  running.add(example)
  return example
}

async function finish (example) {
  const [code, signal] = await example.exit
  const left = survivorsWith(COOKIE, cookie)
  running.delete(example)
  return { code, signal, left, files: fs.readdirSync(directory), stdout: await example.stdout, stderr: await example.stderr }
}

const success = { code: 0, signal: null, left: [], files: [], stderr: '' }

test('sdk-client.js', async () => {
  const { stdout, ...rest } = await finish(start('sdk-client.js'))
  expect(rest).toEqual(success)
  expect(stdout).toMatch(/^Started everything with pid [1-9]\d*$/m)
  expect(stdout).toContain('echo says: Echo: hello\n')
  expect(stdout).toContain('After close() it is stopped, exit code 0\n')
})

test('follow-logs.js', async () => {
  const { stdout, ...rest } = await finish(start('follow-logs.js'))
  expect(rest).toEqual(success)
  const lines = stdout.split('\n').filter(line => line.includes(' | '))
  const of = stream => lines.filter(line => line.slice(13).startsWith(stream)).map(line => line.split(' | ')[1])
  // Two lines of the past, then all that followed: none is missing, none came twice.
  expect(of('stderr')).toEqual(['loading cache', 'ready', 'job resize: begins', 'job upload: begins'])
  expect(of('stdout')).toEqual(['resize done', 'upload done'])
  expect(stdout).toContain('The server left with code 0\n')
})

test('metrics-endpoint.js', async () => {
  const { stdout, ...rest } = await finish(start('metrics-endpoint.js'))
  expect(rest).toEqual(success)
  const [status, ...lines] = stdout.trimEnd().split('\n')
  expect(status).toBe('200 text/plain; version=0.0.4; charset=utf-8')
  expect(lines).toContainEqual(expect.stringMatching(/^mcp_process_info\{id="worker",command=".*node",containment="\w+"\} 1$/))
  expect(lines).toContainEqual(expect.stringMatching(/^mcp_process_output_lines_total\{id="worker",stream="stderr"\} [1-9]\d*$/))
})

test('restart-policy.js', async () => {
  const { stdout, ...rest } = await finish(start('restart-policy.js'))
  expect(rest).toEqual(success)
  const of = id => stdout.split('\n').filter(line => line.startsWith(`${id}: `)).map(line => line.slice(id.length + 2))
  const failed = (n, delay) => ['ended with code 1', `next start in ${delay} ms`, `restart ${n}`]
  expect(of('flaky')).toEqual([
    ...failed(1, 50), ...failed(2, 100), '"start 3: works"', 'is running after 2 restarts', 'ended with SIGTERM'
  ])
  expect(of('hopeless')).toEqual([
    ...failed(1, 50), ...failed(2, 100), ...failed(3, 200), 'ended with code 1',
    expect.stringMatching(/^Gave up .* after 3 restarts/), 'status is error'
  ])
})

describe('demo.js', () => {
  test('shows three servers, a crash and an end without leftovers', async () => {
    const { stdout, ...rest } = await finish(start('demo.js'))
    expect(rest).toEqual(success)
    expect(stdout).toContain('echo answers: Echo: hello\n')
    expect(stdout).toContain('read_text_file answers: a note in a file\n')
    expect(stdout).toContain('create_entities answers: [ { "name": "demo"')
    const rows = stdout.split('\n').filter(line => line.startsWith('│')).map(line => line.split('│').map(cell => cell.trim()))
    const cells = (column, from) => rows.slice(from, from + 4).map(row => row[rows[0].indexOf(column)])
    expect(cells('id', 0)).toEqual(['id', 'everything', 'filesystem', 'memory'])
    expect(cells('restarts', 0)).toEqual(['restarts', '0', '0', '0'])
    expect(cells('restarts', 4)).toEqual(['restarts', '1', '0', '0'])
    expect(cells('status', 4)).toEqual(['status', 'running', 'running', 'running'])
    expect(stdout).toMatch(/everything: pid \d+ ended by SIGKILL, runs again with pid \d+/)
    expect(stdout).toMatch(/All 4 processes are gone: \d+, \d+, \d+, \d+\n$/)
  })

  test.each(['SIGINT', 'SIGTERM'])('cleans up when it is interrupted by %s', async signal => {
    const demo = start('demo.js')
    // The demo itself and its servers: the mark is seen while they live.
    await until(() => survivorsWith(COOKIE, cookie).length >= 4, 'all servers ran')
    demo.child.kill(signal)
    const { stdout, stderr, ...rest } = await finish(demo)
    expect(rest).toEqual({ code: 1, signal: null, left: [], files: [] })
    expect(stdout).not.toContain('The end')
    expect(stderr).toContain(`The demo failed: Error: Interrupted by ${signal}`)
  })
})

'use strict'

// What cannot be started: an id, and an 'error' event on a later turn.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, record, once, thrownBy } = require('../support/manager')
const { fixture } = require('../support/children')

let scratch

beforeAll(() => {
  scratch = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'errors-test-')))
  fs.writeFileSync(path.join(scratch, 'plain'), 'echo a shell ran this\n', { mode: 0o755 })
  fs.writeFileSync(path.join(scratch, 'empty'), '', { mode: 0o755 })
  fs.writeFileSync(path.join(scratch, 'not-executable'), '#!/bin/sh\n', { mode: 0o644 })
  fs.writeFileSync(path.join(scratch, 'bad-interpreter'), '#!/no/such/interpreter\n', { mode: 0o755 })
  fs.symlinkSync('loop', path.join(scratch, 'loop'))
})

afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }))

/** The error of a command that cannot be started, after the checks that hold for all of them. */
async function failureOf (manager, config) {
  const seen = record(manager)
  const id = manager.spawnProcess({ id: 'bad', ...config })
  expect(id).toBe('bad')
  expect(seen).toEqual([])
  const { processId, error } = await once(manager, 'error')
  expect(processId).toBe('bad')
  expect(error).toBeInstanceOf(Error)
  expect(manager.getProcessStatus('bad')).toMatchObject({ status: 'error', state: 'failed', pid: 0, uptime: 0, restarts: 0 })
  expect(manager.getProcessStatus('bad').error).toMatchObject({ code: error.code, message: error.message })
  await new Promise(resolve => setImmediate(resolve))
  expect(seen.map(([name]) => name)).toEqual(['error'])
  return error
}

const inScratch = name => path.join(scratch, name)

test.each([
  ['a missing file', () => '/no/such/file', 'ENOENT'],
  ['a name that is nowhere in PATH', () => 'no-such-program-anywhere', 'ENOENT'],
  ['a directory', () => scratch, 'EACCES'],
  ['a file that is not executable', () => inScratch('not-executable'), 'EACCES'],
  ['a file without #! that is no binary', () => inScratch('plain'), 'ENOEXEC'],
  ['an empty file', () => inScratch('empty'), 'ENOEXEC'],
  ['a file in something that is no directory', () => inScratch('plain/file'), 'ENOTDIR'],
  ['a link to itself', () => inScratch('loop'), 'ELOOP'],
  ['a name that is too long', () => `/${'x'.repeat(300)}`, 'ENAMETOOLONG']
])('%s is an error event', async (_, command, code) => {
  const error = await failureOf(makeManager(), { command: command() })
  // A directory that is none may count as a place where the command is not, as in PATH.
  expect(error.code).toBe(code)
  expect(error.syscall).toBe('execve')
  expect(error.path).toBe(command())
  expect(error.errno).toBeLessThan(0)
  expect(error.message).toContain(error.code)
})

test('a script whose interpreter is missing says so', async () => {
  const error = await failureOf(makeManager(), { command: inScratch('bad-interpreter') })
  expect(error.code).toBe('ENOENT')
  expect(error.message).toMatch(/interpreter/)
})

test.each([
  ['missing', '/no/such/directory', 'ENOENT'],
  ['a file', __filename, 'ENOTDIR']
])('a workingDir that is %s is an error event that names it', async (_, workingDir, code) => {
  const error = await failureOf(makeManager(), { command: fixture('say-ready'), workingDir })
  expect(error).toMatchObject({ code, syscall: 'chdir', path: workingDir })
  expect(error.message).toContain(workingDir)
})

test.each([
  ['an argument over 128 KiB', { args: ['x'.repeat(128 * 1024)] }],
  ['a variable over 128 KiB', { env: { LONG: 'x'.repeat(128 * 1024) } }],
  ['too many arguments', { args: new Array(100000).fill('x'.repeat(100)) }]
])('%s is E2BIG', async (_, config) => {
  const error = await failureOf(makeManager(), { command: fixture('say-ready'), ...config })
  expect(error.code).toBe('E2BIG')
  expect(error.message.length).toBeLessThan(1100)
})

test('nothing is started by a shell', async () => {
  const manager = makeManager()
  const output = record(manager, ['stdout', 'stderr'])
  await failureOf(manager, { command: inScratch('plain') })
  expect(output).toEqual([])
  expect(manager.getProcessLogs('bad')).toEqual({ stdout: [], stderr: [] })
})

test('the status keeps the error until the next start succeeds', async () => {
  const manager = makeManager()
  const command = inScratch('later')
  manager.spawnProcess({ id: 'bad', command })
  await once(manager, 'error')
  expect(await manager.restartProcess('bad')).toBe(false)
  fs.copyFileSync(fixture('say-ready'), command)
  expect(manager.getProcessStatus('bad').error.code).toBe('ENOENT')
  expect(await manager.restartProcess('bad')).toBe(true)
  expect(manager.getProcessStatus('bad')).toMatchObject({ status: 'running', error: null })
  fs.rmSync(command)
})

test('its stdin, logs and stop answer as for any ended process', async () => {
  const manager = makeManager()
  await failureOf(manager, { command: '/none' })
  expect(thrownBy(() => manager.writeStdin('bad', 'x')).code).toBe('ERR_STDIN_CLOSED')
  expect(manager.closeStdin('bad')).toBe(true)
  expect(await manager.stopProcess('bad')).toBe(true)
  expect(manager.getProcessStatus('bad').status).toBe('error')
  expect(manager.removeProcess('bad')).toBe(true)
  expect(manager.getProcessStatus('bad').status).toBe('unknown')
})

test('the same error can be listened to by events.once', async () => {
  const manager = makeManager()
  manager.spawnProcess({ command: '/none' })
  const [payload] = await require('node:events').once(manager, 'exit').catch(error => [error])
  expect(payload).toMatchObject({ processId: 'proc_1000' })
})

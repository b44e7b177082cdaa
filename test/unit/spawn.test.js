'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, record, once, exitOf, run, showStart, startReady } = require('../support/manager')
const { fixture, look } = require('../support/children')

let scratch

beforeEach(() => {
  scratch = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'spawn-test-')))
})

afterEach(() => fs.rmSync(scratch, { recursive: true, force: true }))

function writeScript (file, text) {
  fs.writeFileSync(file, text, { mode: 0o755 })
  return file
}

/** Whose child a process is in the end, from its parent's pid: a keeper stands between. */
function hostOf (manager, id, parent) {
  return manager.getProcessStatus(id).containment === 'tree' ? look(parent).ppid : parent
}

describe('spawnProcess', () => {
  test('returns the id at once, with the pid known and the status running', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ id: 'mine', command: fixture('say-ready') })
    expect(id).toBe('mine')
    const { pid, status } = manager.getProcessStatus(id)
    expect(status).toBe('running')
    expect(hostOf(manager, id, look(pid).ppid)).toBe(process.pid)
    await expect(once(manager, 'spawn')).resolves.toEqual({ processId: 'mine', pid, restarts: 0 })
  })

  test('needs a command only', async () => {
    const manager = makeManager()
    const shown = await showStart(manager)
    expect(shown.args).toEqual([fixture('show-start')])
    expect(shown.cwd).toBe(process.cwd())
  })

  test('hands arguments over to the letter: no shell reads them', async () => {
    const args = ['; exit 3', '$(id)', '`id`', '*', '?', '~', '$HOME', '|', '>', '&&', 'a b', '"', "'", '\\', '\n', '', 'é✓']
    const manager = makeManager()
    const { stdout } = await run(manager, {
      command: process.execPath,
      args: ['-e', 'console.log(JSON.stringify(process.argv.slice(1)))', '--', ...args]
    })
    expect(JSON.parse(stdout)).toEqual(args)
  })

  test.each([['; true'], ['$(true)'], ['`true`'], ['true | true'], ['true*'], ['true true']])(
    'takes the command %j as one file name', async command => {
      const manager = makeManager()
      const id = manager.spawnProcess({ command })
      const { error } = await once(manager, 'error')
      expect(error.code).toBe('ENOENT')
      expect(manager.getProcessStatus(id).status).toBe('error')
    })

  test('copies what it is given: later changes do not matter', async () => {
    const manager = makeManager()
    const config = { command: fixture('show-start'), args: ['one'], env: { SPAWN_TEST: 'one' }, autoRestart: true }
    const first = showStart(manager, config)
    config.args[0] = 'two'
    config.env.SPAWN_TEST = 'two'
    config.command = '/none'
    const shown = await first
    expect(shown.args[1]).toBe('one')
    expect(shown.env.SPAWN_TEST).toBe('one')
  })
})

describe('config.workingDir', () => {
  test('is where the command runs', async () => {
    expect((await showStart(makeManager(), { workingDir: scratch })).cwd).toBe(scratch)
  })

  test('may be relative to the host', async () => {
    const workingDir = path.relative(process.cwd(), scratch)
    expect((await showStart(makeManager(), { workingDir })).cwd).toBe(scratch)
  })

  test('is where a relative command and relative directories of PATH begin', async () => {
    fs.mkdirSync(path.join(scratch, 'bin'))
    writeScript(path.join(scratch, 'bin', 'tool-of-test'), '#!/bin/sh\necho found\n')
    const manager = makeManager()
    const byPath = await run(manager, { command: './bin/tool-of-test', workingDir: scratch })
    expect(byPath.stdout).toBe('found\n')
    const byName = await run(manager, { command: 'tool-of-test', workingDir: scratch, env: { PATH: 'bin' } })
    expect(byName.stdout).toBe('found\n')
  })
})

describe('the command is looked up', () => {
  test("in the child's own PATH, not in the host's", async () => {
    writeScript(path.join(scratch, 'tool-of-test'), '#!/bin/sh\necho mine\n')
    const manager = makeManager()
    const { stdout } = await run(manager, { command: 'tool-of-test', env: { PATH: `/nowhere:${scratch}` } })
    expect(stdout).toBe('mine\n')
    manager.spawnProcess({ command: 'tool-of-test' })
    expect((await once(manager, 'error')).error.code).toBe('ENOENT')
  })

  test('past what is not executable', async () => {
    const second = path.join(scratch, 'second')
    fs.mkdirSync(second)
    fs.writeFileSync(path.join(scratch, 'tool-of-test'), 'no', { mode: 0o644 })
    writeScript(path.join(second, 'tool-of-test'), '#!/bin/sh\necho second\n')
    const { stdout } = await run(makeManager(), { command: 'tool-of-test', env: { PATH: `${scratch}:${second}` } })
    expect(stdout).toBe('second\n')
  })

  test('in usual places when there is no PATH at all', async () => {
    const { exit } = await run(makeManager(), { command: 'true', inheritEnv: false })
    expect(exit.code).toBe(0)
  })
})

describe('ids', () => {
  test('are made in order and never twice', async () => {
    const manager = makeManager()
    const config = { command: fixture('exit-with'), args: ['0'] }
    const ids = [manager.spawnProcess(config), manager.spawnProcess(config)]
    await Promise.all(ids.map(id => exitOf(manager, id)))
    expect(manager.removeProcess(ids[1])).toBe(true)
    ids.push(manager.spawnProcess(config))
    expect(ids).toEqual(['proc_1000', 'proc_1001', 'proc_1002'])
  })

  test('that are made avoid those given by hand', () => {
    const manager = makeManager()
    manager.spawnProcess({ id: 'proc_1000', command: fixture('say-ready') })
    expect(manager.spawnProcess({ command: fixture('say-ready') })).toBe('proc_1001')
  })

  test('begin anew in each manager', () => {
    for (const manager of [makeManager(), makeManager()]) {
      expect(manager.spawnProcess({ command: fixture('say-ready') })).toBe('proc_1000')
    }
  })

  test('of an ended process may be taken by a new one, which starts from nothing', async () => {
    const manager = makeManager()
    const first = await run(manager, { id: 'again', command: fixture('numbered-lines'), args: ['3'] })
    expect(first.exit.code).toBe(0)
    expect(manager.getProcessLogs('again').stdout).toHaveLength(3)
    await startReady(manager, { id: 'again', command: fixture('say-ready') })
    expect(manager.getProcessLogs('again').stdout).toEqual(['ready'])
    expect(manager.getProcessStatus('again')).toMatchObject({ restarts: 0, exitCode: null })
    expect(manager.listProcesses()).toHaveLength(1)
  })
})

describe('the command starts', () => {
  test('with an empty signal mask and default dispositions', async () => {
    const { stdout } = await run(makeManager(), { command: fixture('show-signals') })
    expect(stdout).toMatch(/^SigBlk:\t0{16}$/m)
    expect(stdout).toMatch(/^SigCgt:\t0{16}$/m)
    expect(stdout).toMatch(/^SigPnd:\t0{16}$/m)
    expect(stdout).toMatch(/^SigIgn:\t0{16}$/m)
  })

  test('as the leader of a group of its own', async () => {
    const manager = makeManager()
    const shown = await showStart(manager)
    const { containment } = manager.getProcessStatus(shown.id)
    expect(shown.pgrp).toBe(shown.pid)
    expect(shown.session).toBe(containment === 'tree' ? shown.ppid : shown.pid)
    if (containment !== 'tree') expect(shown.ppid).toBe(process.pid)
  })

  test('with pipes as stdout and stderr that can be opened by name', async () => {
    const { stdout, stderr } = await run(makeManager(), {
      command: 'sh',
      args: ['-c', 'echo out > /dev/stdout; echo err > /dev/stderr']
    })
    expect([stdout, stderr]).toEqual(['out\n', 'err\n'])
  })

  test('with the umask of the host', async () => {
    const before = process.umask()
    expect((await showStart(makeManager())).umask).toBe(before.toString(8).padStart(3, '0'))
  })
})

test('many at once each get their own output and end', async () => {
  const manager = makeManager()
  const seen = record(manager, ['exit'])
  const output = new Map()
  manager.on('stdout', ({ processId, data }) => output.set(processId, (output.get(processId) ?? '') + data))
  const ids = Array.from({ length: 30 }, (_, n) => manager.spawnProcess({
    command: 'sh', args: ['-c', `echo ${n}; exit ${n}`]
  }))
  await once(manager, 'exit', () => seen.length === ids.length)
  for (const [n, id] of ids.entries()) {
    expect(output.get(id)).toBe(`${n}\n`)
    expect(manager.getProcessStatus(id).exitCode).toBe(n)
  }
})

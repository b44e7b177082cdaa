'use strict'

// Log files that cannot be written: bad paths, a full disk.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, exitOf, record, run } = require('../support/manager')
const { fixture, until } = require('../support/children')
const { readLogFile } = require('../support/log-file')

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

let directory
let file

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-log-file-'))
  file = path.join(directory, 'server.log')
})

afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

const linesIn = (name = file) => readLogFile(name).map(({ line }) => line)

describe('a file that cannot be written', () => {
  test.each([
    ['in no directory', 'none/x.log', 'ENOENT'], ['that is a directory', '.', 'EISDIR'], ['below a file', 'plain/x.log', 'ENOTDIR'],
    ['that is a pipe', 'fifo', /ENXIO|EINVAL/], ['whose name is too long', 'x'.repeat(300), 'ENAMETOOLONG']
  ])('%s: one error event, and the process and its log go on', async (_, name, code) => {
    fs.writeFileSync(path.join(directory, 'plain'), '')
    execFileSync('mkfifo', [path.join(directory, 'fifo')])
    const manager = makeManager()
    const errors = record(manager, ['error'])
    const logFile = path.join(directory, name)
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), logFile })
    for (const text of ['one', 'two', 'three']) {
      manager.writeStdin(id, `${text}\n`)
      await until(() => manager.getProcessLogs(id).stdout.includes(text) && errors.length > 0, 'the error is told')
    }
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    expect((await exit).code).toBe(0)
    await manager.cleanup()
    expect(errors).toHaveLength(1)
    const [[, { processId, error }]] = errors
    expect(processId).toBe(id)
    expect(error).toMatchObject({ code: expect.stringMatching(code), syscall: 'open', path: logFile })
    expect(error.message).toContain('log file')
  })

  test('is written from the first line on once it can be', async () => {
    const manager = makeManager()
    const errors = record(manager, ['error'])
    const logFile = path.join(directory, 'later', 'x.log')
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), logFile })
    manager.writeStdin(id, 'one\n')
    await until(() => errors.length > 0, 'the error is told')
    fs.mkdirSync(path.dirname(logFile))
    manager.writeStdin(id, 'two\n')
    await until(() => fs.existsSync(logFile) && linesIn(logFile).length === 2, 'the file has caught up')
    expect(linesIn(logFile)).toEqual(['one', 'two'])
    expect(errors).toHaveLength(1)
    expect(manager.getProcessStatus(id).status).toBe('running')
  })
})

const canMount = (() => {
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', place], { stdio: 'ignore' })
    execFileSync('umount', [place])
    return true
  } catch {
    return false
  } finally {
    fs.rmdirSync(place)
  }
})()

/* Needs a file system of its own that may be filled, which only root can mount. */
const describeWithMounts = canMount ? describe : describe.skip

describeWithMounts('a full disk', () => {
  beforeEach(() => execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', directory]))
  /* At once, although the manager may still have a file open. */
  afterEach(() => execFileSync('umount', ['--lazy', directory]))

  test('is told of once, the ring loses nothing, and the file catches up', async () => {
    const ballast = path.join(directory, 'ballast')
    fs.writeFileSync(ballast, Buffer.alloc(48 * 1024))
    const manager = makeManager()
    const errors = record(manager, ['error'])
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), logFile: file, maxLogLines: 5000 })
    const texts = range(1, 1000).map(n => `line ${n} of the server's output`)
    manager.writeStdin(id, `${texts.slice(0, 900).join('\n')}\n`)
    await until(() => errors.length > 0, 'the error is told')
    const [[, { error }]] = errors
    expect(error).toMatchObject({ code: 'ENOSPC', syscall: 'write', path: file })
    for (const text of texts.slice(900)) manager.writeStdin(id, `${text}\n`)
    await until(() => manager.getProcessLogs(id, 1).stdout[0] === texts.at(-1), 'it is in the ring')
    expect(manager.getProcessLogs(id, Infinity).stdout).toEqual(texts)
    fs.rmSync(ballast)
    execFileSync('mount', ['-o', 'remount,size=1m', directory])
    await until(() => fs.readFileSync(file, 'utf8').endsWith(`${texts.at(-1)}\n`), 'the file has caught up')
    expect(linesIn()).toEqual(texts)
    expect(errors).toHaveLength(1)
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    await manager.cleanup()
  })

  test('that stays full holds up neither the end of the process nor cleanup', async () => {
    fs.writeFileSync(path.join(directory, 'ballast'), Buffer.alloc(60 * 1024))
    const manager = makeManager()
    const errors = record(manager, ['error'])
    const { id } = await run(manager, { command: fixture('numbered-lines'), args: ['20000'], logFile: file, maxLogLines: 20000 })
    expect(manager.getProcessLogs(id, Infinity).stdout).toHaveLength(20000)
    await manager.cleanup()
    expect(errors.length).toBeLessThanOrEqual(1)
    expect(fs.readFileSync(file, 'utf8')).toMatch(/^\S+ stdout 1\n\S+ stdout 2\n/)
  })

  test('what found no room while it waited is counted in the file', async () => {
    const ballast = path.join(directory, 'ballast')
    fs.writeFileSync(ballast, Buffer.alloc(64 * 1024))
    const manager = makeManager()
    const errors = record(manager, ['error'])
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), logFile: { path: file, maxBytes: 2 ** 26 } })
    manager.writeStdin(id, 'first\n')
    await until(() => errors.length > 0, 'the error is told')
    const line = 'x'.repeat(999)
    for (let n = 0; n < 20000; n++) manager.writeStdin(id, `${n} ${line}\n`)
    await until(() => manager.getProcessStatus(id).output.stdout.lines === 20001, 'all is read')
    fs.rmSync(ballast)
    execFileSync('mount', ['-o', 'remount,size=32m', directory])
    await until(() => fs.existsSync(file) && fs.statSync(file).size > 16e6, 'the file has caught up')
    manager.writeStdin(id, 'last\n')
    await until(() => fs.readFileSync(file, 'utf8').endsWith(' last\n'), 'the last line is there')
    let next = 0
    let notes = 0
    const found = linesIn()
    expect([found.shift(), found.pop()]).toEqual(['first', 'last'])
    for (const text of found) {
      const lost = /^\[… (\d+) lines lost\]$/.exec(text)?.[1]
      if (lost) notes++
      else if (text !== `${next} ${line}`) throw new Error(`Instead of line ${next} came ${text.slice(0, 40)}`)
      next += Number(lost ?? 1)
    }
    expect(next).toBe(20000)
    expect(notes).toBeGreaterThan(0)
    expect(errors.map(([, { error }]) => error.code)).toEqual(['ENOSPC', 'ERR_LOG_FILE_LOST_LINES'])
    expect(errors[1][1].error).toMatchObject({ path: file, message: expect.stringMatching(/: \d+ were left out so far$/) })
  })
})

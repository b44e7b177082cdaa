'use strict'

// logFile: the lines of both streams in a file.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, exitOf, once, run, record, startReady, thrownBy } = require('../support/manager')
const { fixture, until, countDescriptors } = require('../support/children')
const { runHost } = require('../support/host')

const shell = (script, config = {}) => ({ command: 'sh', args: ['-c', script], ...config })
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)
const linePattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (stdout|stderr) ([^]*)$/

let directory
let file

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-log-file-'))
  file = path.join(directory, 'server.log')
})

afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

/** [{ time, stream, line }] of a log file. */
function read (name = file) {
  const text = fs.readFileSync(name, 'utf8')
  if (text === '') return []
  expect(text.endsWith('\n')).toBe(true)
  return text.slice(0, -1).split('\n').map(entry => {
    const [, time, stream, line] = linePattern.exec(entry)
    return { time: Date.parse(time), stream, line }
  })
}

const linesIn = name => read(name).map(({ line }) => line)

/** Runs to the end and gives the manager up, with which its files are complete. */
async function logged (config, options) {
  const manager = makeManager(options)
  const errors = record(manager, ['error'])
  const result = await run(manager, { logFile: file, ...config })
  await manager.cleanup()
  return { ...result, errors }
}

describe('the file', () => {
  test('has the lines of both streams, with their time', async () => {
    const before = Date.now()
    await logged(shell('echo one; echo "€ two" >&2; echo; printf "rest\\r\\nlast"'))
    const found = read()
    expect(found.filter(({ stream }) => stream === 'stdout').map(({ line }) => line)).toEqual(['one', '', 'rest', 'last'])
    expect(found.filter(({ stream }) => stream === 'stderr').map(({ line }) => line)).toEqual(['€ two'])
    for (const { time } of found) {
      expect(time).toBeGreaterThanOrEqual(before)
      expect(time).toBeLessThanOrEqual(Date.now())
    }
  })

  test('is readable by its owner alone', async () => {
    await logged(shell('echo x'))
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
  })

  test('is not made before there is a line', async () => {
    await logged(shell('exit 0'))
    expect(fs.existsSync(file)).toBe(false)
  })

  test('may be given with bounds, and as a relative path', async () => {
    const relative = path.relative(process.cwd(), file)
    await logged({ ...shell('echo x'), logFile: { path: relative, maxBytes: 4096, maxFiles: 2 } })
    expect(linesIn()).toEqual(['x'])
  })

  test('goes on where it ended, over restarts and managers', async () => {
    fs.writeFileSync(file, '2026-01-01T00:00:00.000Z stdout before\n')
    await logged(shell('echo one'))
    await logged(shell('echo two'))
    const manager = makeManager()
    const { id } = await run(manager, { ...shell('echo three'), logFile: file })
    const exit = exitOf(manager, id)
    await manager.restartProcess(id)
    await exit
    await manager.cleanup()
    expect(linesIn()).toEqual(['before', 'one', 'two', 'three', 'three'])
  })

  test('is written while the process runs', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), logFile: file })
    for (const text of ['one', 'two']) {
      manager.writeStdin(id, `${text}\n`)
      await until(() => fs.existsSync(file) && fs.readFileSync(file, 'utf8').endsWith(`${text}\n`), 'the line is in the file')
    }
    expect(linesIn()).toEqual(['one', 'two'])
  })

  test('has every line of a flood', async () => {
    const { errors, id } = await logged({ command: fixture('numbered-lines'), args: ['200000'], logFile: { path: file, maxBytes: 2 ** 30 } })
    expect(errors).toEqual([])
    expect(id).toBe('proc_1000')
    const found = linesIn()
    expect(found).toHaveLength(200000)
    expect(found.every((line, n) => line === `${n + 1}`)).toBe(true)
  })

  test('has messages as lines, or strays alone with logMessages: false', async () => {
    const input = shell('echo "{}"; echo stray; echo "[1]"', { messages: 'json' })
    await logged(input)
    expect(linesIn()).toEqual(['{}', 'stray', '[1]'])
    fs.rmSync(file)
    await logged({ ...input, logMessages: false })
    expect(linesIn()).toEqual(['stray'])
  })

  test('says what was cut of a line, as the log does', async () => {
    const { id } = await logged(shell(`${fixture('one-line')} 10000; echo; echo next`, { maxLogBytes: 2048 }))
    expect(id).toBeDefined()
    const found = linesIn()
    expect(found).toHaveLength(2)
    expect(found[0]).toMatch(/^x+ \[… \d+ bytes cut\]$/)
    expect(found[1]).toBe('next')
  })

  test('each process has its own', async () => {
    const manager = makeManager()
    const files = range(1, 5).map(n => path.join(directory, `${n}.log`))
    await Promise.all(files.map((logFile, n) => run(manager, { command: fixture('checked-lines'), args: [`p${n}`, '500'], logFile })))
    await manager.cleanup()
    for (const [n, logFile] of files.entries()) {
      const found = linesIn(logFile)
      expect(found).toHaveLength(1000)
      expect(found.filter(line => !line.startsWith(`p${n} `))).toEqual([])
    }
  })

  test('leaves no descriptor open', async () => {
    const manager = makeManager()
    const cycle = async () => {
      const { id } = await run(manager, { ...shell('echo x'), logFile: file })
      manager.removeProcess(id)
    }
    await cycle()
    const before = countDescriptors()
    for (let n = 0; n < 20; n++) await cycle()
    await until(() => countDescriptors() <= before + 1, 'the descriptors are back')
    await manager.cleanup()
    expect(linesIn()).toHaveLength(21)
  })
})

describe('rotation', () => {
  test('begins a new file between two lines, and keeps maxFiles of them', async () => {
    await logged({ command: fixture('numbered-lines'), args: ['2000'], logFile: { path: file, maxBytes: 4096, maxFiles: 4 } })
    expect(fs.readdirSync(directory).sort()).toEqual(['server.log', 'server.log.1', 'server.log.2', 'server.log.3'])
    const files = ['.3', '.2', '.1', ''].map(suffix => file + suffix)
    for (const name of files) expect(fs.statSync(name).size).toBeLessThanOrEqual(4096)
    for (const name of files.slice(0, 3)) expect(fs.statSync(name).size).toBeGreaterThan(3900)
    const numbers = files.flatMap(name => linesIn(name)).map(Number)
    expect(numbers).toEqual(range(numbers[0], 2000))
  })

  test('keeps every line when there are files enough', async () => {
    await logged({ command: fixture('numbered-lines'), args: ['5000'], logFile: { path: file, maxBytes: 8192, maxFiles: 1000 } })
    const count = fs.readdirSync(directory).length
    const files = [...range(1, count - 1).reverse().map(n => `${file}.${n}`), file]
    expect(files.flatMap(name => linesIn(name))).toEqual(range(1, 5000).map(String))
  })

  test('with one file empties it', async () => {
    await logged({ command: fixture('numbered-lines'), args: ['1000'], logFile: { path: file, maxBytes: 4096, maxFiles: 1 } })
    expect(fs.readdirSync(directory)).toEqual(['server.log'])
    const numbers = linesIn().map(Number)
    expect(numbers).toEqual(range(numbers[0], 1000))
    expect(fs.statSync(file).size).toBeLessThanOrEqual(4096)
  })

  test('counts what was in the file before', async () => {
    fs.writeFileSync(file, `2026-01-01T00:00:00.000Z stdout ${'x'.repeat(4000)}\n`)
    await logged(shell('seq 1 10', { logFile: { path: file, maxBytes: 4096 } }))
    expect(linesIn(`${file}.1`)[0]).toMatch(/^x{4000}$/)
    expect([...linesIn(`${file}.1`).slice(1), ...linesIn()]).toEqual(range(1, 10).map(String))
  })

  test('gives a line that is longer than a file one of its own', async () => {
    await logged(shell(`echo a; ${fixture('one-line')} 10000; echo; echo b`, { logFile: { path: file, maxBytes: 4096 } }))
    expect(linesIn(`${file}.2`)).toEqual(['a'])
    expect(linesIn(`${file}.1`)[0]).toMatch(/^x{10000}$/)
    expect(linesIn()).toEqual(['b'])
  })

  test('by the bounds of the manager, those of a process first', async () => {
    const numbers = { command: fixture('numbered-lines'), args: ['1000'] }
    await logged(numbers, { logFile: { maxBytes: 4096, maxFiles: 2 } })
    expect(fs.readdirSync(directory).sort()).toEqual(['server.log', 'server.log.1'])
    const other = path.join(directory, 'other')
    await logged({ ...numbers, logFile: { path: other, maxFiles: 3 } }, { logFile: { maxBytes: 4096, maxFiles: 2 } })
    expect(fs.readdirSync(directory).filter(name => name.startsWith('other'))).toHaveLength(3)
  })
})

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
    for (let n = 0; n < 6000; n++) manager.writeStdin(id, `${n} ${line}\n`)
    await until(() => manager.getProcessStatus(id).output.stdout.lines === 6001, 'all is read')
    fs.rmSync(ballast)
    execFileSync('mount', ['-o', 'remount,size=32m', directory])
    await until(() => fs.existsSync(file) && fs.statSync(file).size > 3e6, 'the file has caught up')
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
    expect(next).toBe(6000)
    expect(notes).toBeGreaterThan(0)
    expect(errors).toHaveLength(1)
  })
})

describe('one file', () => {
  test('of two live processes is refused, and free again after the end', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready'), logFile: file })
    const error = thrownBy(() => manager.spawnProcess({ command: fixture('say-ready'), logFile: { path: file } }))
    expect(error).toBeInstanceOf(Error)
    expect(error.code).toBe('ERR_LOG_FILE_IN_USE')
    expect(error.message).toContain('config.logFile.path')
    expect(error.message).toContain('server.log')
    expect(manager.listProcesses()).toHaveLength(1)
    await manager.stopProcess(id)
    await run(manager, { ...shell('echo second'), logFile: file })
    await manager.cleanup()
    expect(linesIn()).toEqual(['ready', 'second'])
  })
})

describe('the end of the host', () => {
  test.each(['process.exit', 'uncaught exception'])('%s: what was read is in the file', async how => {
    const { printed, survivors } = await runHost(({ ProcessManager, fixture, print }, file, how) => {
      const manager = new ProcessManager()
      const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['3000000'], logFile: { path: file, maxBytes: 2 ** 30 }, maxLogLines: 1 })
      const look = () => {
        const [line] = manager.getProcessLogs(id, 1).stdout
        if (Number(line) > 20000) {
          print(Number(line))
          if (how === 'process.exit') process.exit(7)
          throw new Error('for the test')
        }
        setImmediate(look)
      }
      look()
    }, { args: [file, how] })
    await survivors()
    const [last] = printed
    const found = linesIn()
    expect(found.every((line, n) => line === `${n + 1}`)).toBe(true)
    expect(found.length).toBeGreaterThanOrEqual(last)
  })

  test('cleanup leaves it complete', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['3000000'], logFile: { path: file, maxBytes: 2 ** 30 }, maxLogLines: 1 })
    await until(() => manager.getProcessLogs(id, 1).stdout[0] > 20000, 'it has begun')
    const exit = exitOf(manager, id)
    const cleaned = manager.cleanup()
    let last
    manager.once('exit', () => { last = Number(manager.getProcessLogs(id, 1).stdout[0]) })
    await exit
    await cleaned
    const found = linesIn()
    expect(found.every((line, n) => n === found.length - 1 || line === `${n + 1}`)).toBe(true)
    expect(found.length).toBeGreaterThanOrEqual(last - 1)
  })
})

describe('is refused', () => {
  test.each([
    ['', 'config.logFile.path', TypeError], ['a\0b', 'config.logFile.path', TypeError], [3, 'config.logFile', TypeError], [null, 'config.logFile', TypeError],
    [[], 'config.logFile', TypeError], [{}, 'config.logFile.path', TypeError], [{ path: 3 }, 'config.logFile.path', TypeError],
    [{ path: 'x', maxBytes: 4095 }, 'config.logFile.maxBytes', RangeError], [{ path: 'x', maxBytes: '1' }, 'config.logFile.maxBytes', TypeError],
    [{ path: 'x', maxFiles: 0 }, 'config.logFile.maxFiles', RangeError], [{ path: 'x', maxFiles: 1001 }, 'config.logFile.maxFiles', RangeError]
  ])('%j', (logFile, field, Class) => {
    const manager = makeManager()
    const error = thrownBy(() => manager.spawnProcess({ command: 'true', logFile }))
    expect(error).toBeInstanceOf(Class)
    expect(error.message).toContain(`${field} must`)
    expect(manager.listProcesses()).toEqual([])
  })

  test.each([['all.log'], [3], [null]])('%j for all processes of a manager', logFile => {
    const error = thrownBy(() => makeManager({ logFile }))
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('options.logFile must be an object') })
  })
})

test('a spawn that fails at once frees its file', async () => {
  const manager = makeManager()
  manager.on('error', () => {})
  const failed = once(manager, 'error')
  manager.spawnProcess({ command: '/none', logFile: file })
  await failed
  await run(manager, { ...shell('echo x'), logFile: file })
  await manager.cleanup()
  expect(linesIn()).toEqual(['x'])
})

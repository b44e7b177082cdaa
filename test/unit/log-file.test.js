'use strict'

// logFile: the lines of both streams in a file.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, exitOf, once, run, record, startReady, thrownBy } = require('../support/manager')
const { fixture, until, countDescriptors } = require('../support/children')
const { runHost } = require('../support/host')
const { readLogFile } = require('../support/log-file')

const shell = (script, config = {}) => ({ command: 'sh', args: ['-c', script], ...config })
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

let directory
let file

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-log-file-'))
  file = path.join(directory, 'server.log')
})

afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

const linesIn = (name = file) => readLogFile(name).map(({ line }) => line)

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
    const found = readLogFile(file)
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

  test('stays where it is when the host goes elsewhere', async () => {
    const before = process.cwd()
    const here = path.join(directory, 'here')
    const there = path.join(directory, 'there')
    fs.mkdirSync(here)
    fs.mkdirSync(there)
    const manager = makeManager()
    try {
      process.chdir(here)
      const id = manager.spawnProcess({ command: fixture('echo-stdin'), logFile: { path: 'x.log', maxBytes: 4096, maxFiles: 3 } })
      process.chdir(there)
      const exit = exitOf(manager, id)
      manager.writeStdin(id, `${range(1, 1000).join('\n')}\n`)
      manager.closeStdin(id)
      await exit
      await manager.cleanup()
    } finally {
      process.chdir(before)
    }
    expect(fs.readdirSync(there)).toEqual([])
    expect(fs.readdirSync(here).sort()).toEqual(['x.log', 'x.log.1', 'x.log.2'])
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

  test('goes on with a new line where a host was killed within one', async () => {
    await logged(shell('echo whole'))
    fs.appendFileSync(file, '2026-11-28T09:30:00.123Z stdout ha')
    await logged(shell('echo next'))
    expect(linesIn()).toEqual(['whole', 'ha', 'next'])
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

  test('is the same however its path is written', async () => {
    const manager = makeManager()
    await startReady(manager, { command: fixture('say-ready'), logFile: file })
    const relative = path.relative(process.cwd(), file)
    const inUse = { code: 'ERR_LOG_FILE_IN_USE' }
    for (const name of [relative, `./${relative}`, `${directory}/./server.log`, `${directory}//server.log`]) {
      expect(thrownBy(() => manager.spawnProcess({ command: 'true', logFile: name }))).toMatchObject(inUse)
    }
  })
})

describe('a file that another live process has', () => {
  test('keeps a restart of an ended one from it', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { ...shell('echo one'), logFile: file })
    const other = await startReady(manager, { command: fixture('say-ready'), logFile: file })
    await expect(manager.restartProcess(id)).rejects.toMatchObject({ code: 'ERR_LOG_FILE_IN_USE' })
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', restarts: 0 })
    expect(await manager.restartProcess(other)).toBe(true)
    await manager.stopProcess(other)
    expect(await manager.restartProcess(id)).toBe(true)
  })

  test('keeps what is known of an ended one whose id was to be used again', async () => {
    const manager = makeManager()
    const { id } = await run(manager, shell('echo one'))
    await startReady(manager, { command: fixture('say-ready'), logFile: file })
    const config = { id, ...shell('echo two'), logFile: file }
    expect(thrownBy(() => manager.spawnProcess(config))).toMatchObject({ code: 'ERR_LOG_FILE_IN_USE' })
    expect(manager.getProcessLogs(id).stdout).toEqual(['one'])
  })

  test('is told of by the id first, if that is in use', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready'), logFile: file })
    expect(thrownBy(() => manager.spawnProcess({ id, command: 'true', logFile: file }))).toMatchObject({ code: 'ERR_ID_IN_USE' })
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

  test('SIGKILL: what is there is a beginning, line by line', async () => {
    const { signal, survivors } = await runHost(({ ProcessManager, fixture }, file) => {
      const manager = new ProcessManager()
      manager.spawnProcess({ command: fixture('numbered-lines'), args: ['3000000'], logFile: { path: file, maxBytes: 2 ** 30 } })
      const look = () => {
        const size = require('node:fs').statSync(file, { throwIfNoEntry: false })?.size
        if (size > 200000) process.kill(process.pid, 'SIGKILL')
        setImmediate(look)
      }
      look()
    }, { args: [file] })
    expect(signal).toBe('SIGKILL')
    await survivors()
    /* The kill may have come in the middle of a write. */
    const whole = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1)
    expect(whole.length).toBeGreaterThan(1000)
    expect(whole.every((entry, n) => entry.endsWith(`Z stdout ${n + 1}`))).toBe(true)
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

  test.each(['all.log', 3, null])('path %j for all processes of a manager', path => {
    const error = thrownBy(() => makeManager({ logFile: { path, maxBytes: 4096 } }))
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('options.logFile.path must be') })
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

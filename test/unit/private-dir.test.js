'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, showStart, startReady, exitOf, once, wrote } = require('../support/manager')
const { fixture, until } = require('../support/children')
const { runHost } = require('../support/host')

/* Nothing is closed to root, and only root can become somebody else. */
const asRoot = process.getuid() === 0 ? test : test.skip

const options = { privateWorkingDir: true }

/** The directory in which a running process is. */
const dirOf = (manager, id) => fs.readlinkSync(`/proc/${manager.getProcessStatus(id).pid}/cwd`)
const gone = dir => until(() => !fs.existsSync(dir), `${dir} is gone`)

describe('privateWorkingDir', () => {
  test('gives each process a directory of its own, empty and closed to others', async () => {
    const manager = makeManager(options)
    const dirs = []
    for (let i = 0; i < 2; i++) {
      const id = await startReady(manager, { command: fixture('say-ready') })
      dirs.push(dirOf(manager, id))
    }
    expect(dirs[0]).not.toBe(dirs[1])
    for (const dir of dirs) {
      expect(path.dirname(dir)).toBe(fs.realpathSync(os.tmpdir()))
      expect(fs.readdirSync(dir)).toEqual([])
      expect(fs.statSync(dir).mode & 0o777).toBe(0o700)
    }
    await manager.cleanup()
    await Promise.all(dirs.map(gone))
  })

  test('is off by default, and may be given for one process', async () => {
    expect((await showStart(makeManager())).cwd).toBe(process.cwd())
    const { cwd } = await showStart(makeManager(), options)
    expect(cwd).not.toBe(process.cwd())
    await gone(cwd)
  })

  test('is removed with all that is in it, and with nothing outside', async () => {
    const outside = fs.mkdtempSync(path.join(os.tmpdir(), 'outside-'))
    fs.writeFileSync(path.join(outside, 'kept'), 'x')
    const manager = makeManager(options)
    const id = manager.spawnProcess({ command: fixture('fill-directory'), args: [outside] })
    await wrote(manager, id, '\n')
    const dir = dirOf(manager, id)
    expect(fs.existsSync(path.join(dir, 'closed'))).toBe(true)
    await manager.stopProcess(id)
    await gone(dir)
    expect(fs.readFileSync(path.join(outside, 'kept'), 'utf8')).toBe('x')
    fs.rmSync(outside, { recursive: true })
  })

  test('stays the same over restarts by themselves', async () => {
    const manager = makeManager(options)
    const id = manager.spawnProcess({
      command: 'sh', args: ['-c', 'pwd; echo x >> file; test $(wc -l < file) -ge 3 && echo ready && exec sleep 100; exit 1'],
      autoRestart: true, restartDelay: 1
    })
    await wrote(manager, id, 'ready')
    const dirs = manager.getProcessLogs(id).stdout.filter(line => line.startsWith('/'))
    expect(dirs).toHaveLength(3)
    expect(new Set(dirs).size).toBe(1)
    await manager.stopProcess(id)
    await gone(dirs[0])
  })

  test('is removed when the command could not be started', async () => {
    const manager = makeManager(options)
    const found = () => fs.readdirSync(os.tmpdir()).filter(name => name.startsWith('mcp-process-'))
    const earlier = new Set(found())
    manager.spawnProcess({ command: '/none' })
    await once(manager, 'error')
    await until(() => found().every(name => earlier.has(name)), 'no directory is left')
  })

  test('is removed after an exit that nobody asked for', async () => {
    const manager = makeManager(options)
    const id = await startReady(manager, { command: fixture('say-ready') })
    const dir = dirOf(manager, id)
    const exit = exitOf(manager, id)
    process.kill(manager.getProcessStatus(id).pid, 'SIGKILL')
    await exit
    await gone(dir)
  })

  test('of what runs is removed by cleanup', async () => {
    const manager = makeManager(options)
    const id = await startReady(manager, { command: fixture('say-ready') })
    const dir = dirOf(manager, id)
    await manager.cleanup()
    expect(fs.existsSync(dir)).toBe(false)
  })

  asRoot.each([[0o022], [0o777]])('works for an ordinary user with the umask %o', async umask => {
    const host = await runHost(async ({ ProcessManager, print, ready }, umask) => {
      const fs = require('node:fs')
      const manager = new ProcessManager({ privateWorkingDir: true })
      process.setgid(61234)
      process.setuid(61234)
      process.umask(umask)
      const script = 'mkdir -m 700 a a/b && touch a/b/c && chmod 0 a/b a . ; echo ready; exec sleep 100'
      manager.on('error', ({ error }) => print(error.message))
      const id = manager.spawnProcess({ command: 'sh', args: ['-c', script] })
      await ready(manager, id)
      const dir = fs.readlinkSync(`/proc/${manager.getProcessStatus(id).pid}/cwd`)
      print(fs.statSync(dir).isDirectory())
      await manager.cleanup()
      print(fs.existsSync(dir))
    }, { args: [umask] })
    expect(host).toMatchObject({ code: 0, stderr: '', printed: [true, false] })
  })
})

'use strict'

// What a child inherits, and what happens when the host may open nothing more.

const fs = require('node:fs')
const { makeManager, run } = require('../support/manager')
const { fixture } = require('../support/children')
const { runHost } = require('../support/host')

const pipes = ['0 pipe read', '1 pipe write', '2 pipe write']
const listed = text => text.trim().split('\n').sort()
/* Limits of a user's processes do not bind root, and only root can become somebody else. */
const asRoot = process.getuid() === 0 ? test : test.skip

describe('a child has stdin, stdout and stderr, and nothing else', () => {
  test('in an ordinary host', async () => {
    const { stdout } = await run(makeManager(), { command: fixture('list-descriptors') })
    expect(listed(stdout)).toEqual(pipes)
  })

  test('in a host with hundreds of descriptors', async () => {
    const manager = makeManager()
    const open = Array.from({ length: 600 }, () => fs.openSync('/dev/null', 'r'))
    try {
      for (let i = 0; i < 3; i++) {
        const { stdout } = await run(manager, { command: fixture('list-descriptors') })
        expect(listed(stdout)).toEqual(pipes)
      }
    } finally {
      open.forEach(fd => fs.closeSync(fd))
    }
  })

  test('with others alive that have theirs', async () => {
    const manager = makeManager()
    for (let i = 0; i < 50; i++) manager.spawnProcess({ command: fixture('say-ready') })
    const { stdout } = await run(manager, { command: fixture('list-descriptors') })
    expect(listed(stdout)).toEqual(pipes)
  })

  test('in a host that was itself given descriptors which are not close-on-exec', async () => {
    const host = await runHost(async ({ ProcessManager, fixture, print }) => {
      /* The proof that they are there: an ordinary child of this host has them. */
      const { execFileSync } = require('node:child_process')
      print(execFileSync(fixture('list-descriptors'), { encoding: 'utf8' }).split('\n').length > 250)
      const manager = new ProcessManager()
      manager.spawnProcess({ command: fixture('list-descriptors') })
      await new Promise(resolve => manager.on('exit', resolve))
      print(manager.getProcessLogs('proc_1000').stdout.sort())
      print(execFileSync(fixture('list-descriptors'), { encoding: 'utf8' }).split('\n').length > 250)
    }, { wrap: [fixture('with-descriptors'), '40', '300'] })
    expect(host).toMatchObject({ code: 0, stderr: '', printed: [true, pipes, true] })
  })

  test.each([['0<&-'], ['0<&- 2>&-'], ['2>&-']])('in a host that was started with %s', async closed => {
    const host = await runHost(async ({ ProcessManager, fixture, print }) => {
      const manager = new ProcessManager()
      manager.spawnProcess({ command: fixture('list-descriptors') })
      await new Promise(resolve => manager.on('exit', resolve))
      print(manager.getProcessLogs('proc_1000').stdout.sort())
    }, { wrap: ['sh', '-c', `exec "$@" ${closed}`, 'sh'] })
    expect(host).toMatchObject({ code: 0, printed: [pipes] })
  })
})

describe('out of descriptors', () => {
  test('a start is an error event with code EMFILE, the host lives, and a later start works', async () => {
    const host = await runHost(async ({ ProcessManager, fixture, print }) => {
      const fs = require('node:fs')
      const count = () => fs.readdirSync('/proc/self/fd').length
      const manager = new ProcessManager()
      const start = async () => {
        const { code, syscall } = await new Promise(resolve => {
          manager.once('error', ({ error }) => resolve(error))
          manager.once('exit', ({ code }) => resolve({ code }))
          manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] })
        })
        manager.removeAllListeners('error').removeAllListeners('exit')
        return [code, syscall]
      }
      await start()
      const before = count()
      const open = []
      try {
        for (;;) open.push(fs.openSync('/dev/null', 'r'))
      } catch (error) {
        print(error.code)
      }
      const codes = new Set()
      const syscalls = new Set()
      for (let free = 0; free < 12; free++) {
        const [code, syscall] = await start()
        codes.add(code)
        if (syscall) syscalls.add(syscall)
        fs.closeSync(open.pop())
      }
      print([...codes])
      print([...syscalls].every(name => typeof name === 'string' && name !== ''))
      print(manager.getProcessStatus('proc_1001'))
      open.forEach(fd => fs.closeSync(fd))
      print(await start())
      print(count() - before)
      await manager.cleanup()
    }, { wrap: ['sh', '-c', 'ulimit -n 100; exec "$@"', 'sh'] })
    expect(host).toMatchObject({ code: 0, signal: null, stderr: '' })
    const [, codes, named, status, later, growth] = host.printed
    expect(host.printed[0]).toBe('EMFILE')
    expect(codes.sort()).toEqual([0, 'EMFILE'].sort())
    expect(named).toBe(true)
    expect(status).toMatchObject({ status: 'error', state: 'failed', error: { code: 'EMFILE' } })
    expect(later[0]).toBe(0)
    expect(growth).toBe(0)
  })

  test('a manager that never started anything says so as well', async () => {
    const host = await runHost(async ({ ProcessManager, fixture, print }) => {
      const fs = require('node:fs')
      const manager = new ProcessManager()
      const open = []
      try {
        for (;;) open.push(fs.openSync('/dev/null', 'r'))
      } catch {
        manager.spawnProcess({ command: fixture('say-ready') })
      }
      manager.on('error', ({ error }) => print(error.code))
      await new Promise(resolve => manager.once('error', resolve))
      open.forEach(fd => fs.closeSync(fd))
      print(await manager.restartProcess('proc_1000'))
      await manager.cleanup()
    }, { wrap: ['sh', '-c', 'ulimit -n 100; exec "$@"', 'sh'] })
    expect(host).toMatchObject({ code: 0, stderr: '', printed: ['EMFILE', true] })
    await host.survivors()
  })
})

describe('out of processes', () => {
  /* root is exempt from RLIMIT_NPROC, and only root can become a user who is not. */
  asRoot('a start is an error event with code EAGAIN, the host lives, and a later start works', async () => {
    const host = await runHost(async ({ ProcessManager, print }) => {
      const manager = new ProcessManager()
      process.setgid(61234)
      process.setuid(61234)
      const start = (command, ...args) => new Promise(resolve => {
        manager.once('error', ({ error }) => resolve(error.code))
        manager.once(command === 'true' ? 'exit' : 'spawn', ({ code }) => resolve(code))
        manager.spawnProcess({ command, args })
      })
      let result
      do {
        manager.removeAllListeners()
        result = await start('sleep', '100')
      } while (result !== 'EAGAIN')
      print(result)
      manager.removeAllListeners()
      await manager.stopAll()
      print(await start('true'))
      await manager.cleanup()
    }, { wrap: ['prlimit', '--nproc=60', '--'] })
    expect(host).toMatchObject({ code: 0, stderr: '', printed: ['EAGAIN', 0] })
    await host.survivors()
  })
})

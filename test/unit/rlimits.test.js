'use strict'

// limits: what a command is held to from its first instruction on.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, once, run, record, thrownBy } = require('../support/manager')
const { fixture } = require('../support/children')

const portable = process.env.MCP_PROCESS_MANAGER_SPAWN === 'portable'
const MiB = 2 ** 20

/** "soft hard" by the kernel's names, as a command finds them. */
function limitsIn (lines) {
  return Object.fromEntries(lines.slice(1).map(line => {
    const [, name, soft, hard] = /^(.*?) {2,}(\S+) +(\S+)/.exec(line)
    return [name, `${soft} ${hard}`]
  }))
}

async function limitsOf (config, options) {
  const manager = makeManager(options)
  const { id } = await run(manager, { command: 'cat', args: ['/proc/self/limits'], ...config })
  return limitsIn(manager.getProcessLogs(id).stdout)
}

const own = () => limitsIn(fs.readFileSync('/proc/self/limits', 'utf8').trim().split('\n'))

/* The portable backend cannot set anything in the child before its exec, and says so. */
const describeClone = portable ? describe.skip : describe

describeClone('limits', () => {
  test.each([
    ['fileSize', 5 * MiB, 'Max file size'], ['openFiles', 77, 'Max open files'], ['processes', 3333, 'Max processes'],
    ['addressSpace', 900 * MiB, 'Max address space'], ['dataSize', 800 * MiB, 'Max data size'], ['stackSize', MiB, 'Max stack size'],
    ['lockedMemory', 4096, 'Max locked memory'], ['coreSize', 0, 'Max core file size']
  ])('%s', async (name, value, kernelName) => {
    const limits = await limitsOf({ limits: { [name]: value } })
    expect(limits).toEqual({ ...own(), [kernelName]: `${value} ${value}` })
  })

  test('cpuSeconds has five seconds more until SIGKILL', async () => {
    expect(await limitsOf({ limits: { cpuSeconds: 7 } })).toEqual({ ...own(), 'Max cpu time': '7 12' })
  })

  test.each(['tree', 'nested', 'group', 'none'])('are those of the command alone, containment %s', async containment => {
    const before = own()
    const limits = await limitsOf({ containment, limits: { openFiles: 50 } })
    expect(limits['Max open files']).toBe('50 50')
    expect(own()).toEqual(before)
  })

  test('of the manager, those of a process first; Infinity is as the host has it', async () => {
    const options = { limits: { openFiles: 60, coreSize: 0 } }
    expect(await limitsOf({ limits: { openFiles: 50 } }, options))
      .toMatchObject({ 'Max open files': '50 50', 'Max core file size': '0 0' })
    expect(await limitsOf({ limits: { openFiles: Infinity } }, options))
      .toMatchObject({ 'Max open files': own()['Max open files'] })
  })

  test('hold from a restart on as well', async () => {
    const manager = makeManager({ restartDelay: 1, maxRestarts: 1 })
    const script = 'ulimit -n; exit 1'
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', script], autoRestart: true, limits: { openFiles: 40 } })
    await once(manager, 'limit')
    expect(manager.getProcessLogs(id).stdout).toEqual(['40', '40'])
  })

  test('nice is added to the host\'s', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: 'nice', limits: { nice: 3 } })
    expect(manager.getProcessLogs(id).stdout).toEqual([`${Math.min(os.getPriority() + 3, 19)}`])
    expect(os.getPriority(process.pid)).toBe(os.getPriority())
  })

  test('an end by cpuSeconds is told by exit and limit', async () => {
    const manager = makeManager()
    const seen = record(manager, ['exit', 'limit'])
    const { id } = await run(manager, { command: 'sh', args: ['-c', 'while :; do :; done'], limits: { cpuSeconds: 1 } })
    await once(manager, 'limit', () => true).catch(() => {})
    expect(seen.find(([name]) => name === 'exit')[1]).toMatchObject({ signal: 'SIGXCPU', limit: 'limits.cpuSeconds' })
    const limits = seen.filter(([name]) => name === 'limit').map(([, limit]) => limit)
    expect(limits).toEqual([{ processId: id, limit: 'limits.cpuSeconds', value: 1, seen: expect.any(Number), action: 'end' }])
    expect(limits[0].seen).toBeGreaterThan(0.5)
  })

  test('an end by fileSize is told, others are not', async () => {
    const manager = makeManager()
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-limits-'))
    try {
      const head = { command: 'dd', args: ['if=/dev/zero', `of=${path.join(directory, 'file')}`, 'bs=1000', 'count=10', 'status=none'] }
      const limited = await run(manager, { ...head, limits: { fileSize: 5000 } })
      expect(limited.exit).toMatchObject({ signal: 'SIGXFSZ', limit: 'limits.fileSize' })
      expect(fs.statSync(path.join(directory, 'file')).size).toBe(5000)
      expect((await run(manager, head)).exit).toMatchObject({ code: 0, limit: null })
      expect((await run(manager, { command: fixture('die-by'), args: ['9'], limits: { cpuSeconds: 100 } })).exit)
        .toMatchObject({ signal: 'SIGKILL', limit: null })
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  })

  test('one that cannot be had is an error that names it, and nothing runs', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: 'true', limits: { openFiles: 2 ** 40 } })
    const { error } = await once(manager, 'error')
    expect(error).toMatchObject({ code: 'EPERM', syscall: 'setrlimit', path: 'true' })
    expect(error.message).toContain('limits.openFiles')
    expect(manager.getProcessStatus(id).status).toBe('error')
  })
})

if (portable) {
  test.each([['openFiles', 'setrlimit'], ['nice', 'setpriority']])('%s is refused where it cannot be set in time', async (name, syscall) => {
    const manager = makeManager()
    manager.spawnProcess({ command: 'true', limits: { [name]: 5 } })
    const { error } = await once(manager, 'error')
    expect(error).toMatchObject({ code: 'ENOTSUP', syscall })
    expect(error.message).toContain(`limits.${name}`)
  })
}

describe('what is refused', () => {
  test.each([
    [{ opneFiles: 3 }, 'ERR_UNKNOWN_LIMIT', '"opneFiles"'], [{ openFiles: -1 }, 'ERR_OUT_OF_RANGE', 'limits.openFiles'],
    [{ openFiles: 10.5 }, 'ERR_OUT_OF_RANGE', 'got 10.5'], [{ openFiles: NaN }, 'ERR_OUT_OF_RANGE', 'got NaN'],
    [{ nice: 100 }, 'ERR_OUT_OF_RANGE', 'limits.nice'], [{ openFiles: '10' }, 'ERR_INVALID_ARG_TYPE', 'got "10"'],
    [{ cpuSeconds: 0 }, 'ERR_OUT_OF_RANGE', 'limits.cpuSeconds'], [5, 'ERR_INVALID_ARG_TYPE', 'limits must be an object'],
    [null, 'ERR_INVALID_ARG_TYPE', 'got null'], [[1], 'ERR_INVALID_ARG_TYPE', 'an array']
  ])('%p', (limits, code, words) => {
    const manager = makeManager()
    for (const [where, act] of [['config', () => manager.spawnProcess({ command: 'true', limits })], ['options', () => makeManager({ limits })]]) {
      const error = thrownBy(act)
      expect(error.code).toBe(code)
      expect(error.message).toContain(words)
      expect(error.message).toContain(`${where}.limits`)
    }
    expect(manager.listProcesses()).toEqual([])
  })

  test('what a prototype lends is not seen', () => {
    const limits = Object.create({ openFiles: -1, nonsense: 1 })
    expect(() => makeManager().spawnProcess({ command: 'true', limits })).not.toThrow()
  })
})

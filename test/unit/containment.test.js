'use strict'

// What a keeper holds together, and what is done to it.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const {
  makeManager, record, once, exitOf, wrote, startReady, run, portable, inEffect, anyUsage
} = require('../support/manager')
const { fixture, countDescriptors, isAlive, look, until } = require('../support/children')
const { runHost } = require('../support/host')

const { signals } = os.constants
/* The portable backend starts commands without keepers: there 'tree' is 'group'. */
const withKeeper = portable ? test.skip : test
const levels = ['tree', 'nested', 'group', 'none']

function nameOf (pid) {
  return fs.readFileSync(`/proc/${pid}/comm`, 'latin1').trim()
}

/** The names of the ancestors of pid, the nearest first, until this process or the first of all. */
function namesAbove (pid) {
  const names = []
  for (let { ppid } = look(pid); ppid !== process.pid && ppid > 1; ppid = look(ppid).ppid) names.push(nameOf(ppid))
  return names
}

/** Ends what a test left alone. */
function end (pid) {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL')
}

/** Starts a program that has a grandchild: [id, pid of the grandchild, promise of the exit]. */
async function startFamily (manager, args, config = {}) {
  const id = manager.spawnProcess({ command: fixture('spawn-grandchild'), args, ...config })
  const exit = exitOf(manager, id)
  const { data } = await wrote(manager, id, 'grandchild')
  return [id, Number(/grandchild (\d+)/.exec(data)[1]), exit]
}

describe.each(levels)('containment: %s', containment => {
  const wanted = inEffect(containment)

  test('is in the status and in the list, whatever the process does', async () => {
    const manager = makeManager({ containment })
    const running = await startReady(manager, { command: fixture('say-ready') })
    const { id: ended } = await run(manager, { command: fixture('exit-with'), args: ['0'] })
    for (const id of [running, ended]) expect(manager.getProcessStatus(id).containment).toBe(wanted)
    expect(manager.listProcesses().map(({ containment }) => containment)).toEqual([wanted, wanted])
  })

  test('may be given for one process', async () => {
    const manager = makeManager({ containment: containment === 'group' ? 'none' : 'group' })
    const id = await startReady(manager, { command: fixture('say-ready'), containment })
    expect(manager.getProcessStatus(id).containment).toBe(wanted)
    await manager.restartProcess(id)
    expect(manager.getProcessStatus(id)).toMatchObject({ containment: wanted, restarts: 1 })
  })

  test('puts so many keepers above the command', async () => {
    const manager = makeManager({ containment })
    const id = await startReady(manager, { command: fixture('say-ready') })
    const { pid } = manager.getProcessStatus(id)
    const count = { tree: 1, nested: 2, group: 0, none: 0 }[wanted]
    expect(nameOf(pid)).toBe('say-ready')
    expect(namesAbove(pid)).toHaveLength(count)
    /* A keeper takes its name once it runs, which may be after its command has said something. */
    await until(() => namesAbove(pid).every(name => name === 'mcp-keeper'), 'the keepers have their name')
  })

  test('has the same events as any other', async () => {
    const manager = makeManager({ containment })
    const seen = record(manager)
    const { id } = await run(manager, { command: fixture('exit-with'), args: ['3'] })
    const failed = manager.spawnProcess({ command: '/none' })
    await once(manager, 'error')
    const living = await startReady(manager, { command: fixture('say-ready') })
    expect(await manager.stopProcess(living)).toBe(true)
    expect(seen.map(([name, { processId }]) => [name, processId])).toEqual([
      ['spawn', id], ['exit', id], ['error', failed], ['spawn', living], ['exit', living], ['stop', living]
    ])
    expect(seen[1][1]).toMatchObject({ code: 3, signal: null, requested: false })
    expect(seen[2][1].error).toMatchObject({ code: 'ENOENT', syscall: 'execve', path: '/none' })
    expect(seen[4][1]).toMatchObject({ code: null, signal: 'SIGTERM', requested: true })
    expect(seen[5][1]).toMatchObject({ stopped: true, step: 'SIGTERM', killed: 0, left: 0, survivors: [] })
  })

  test('leaves no keeper and no descriptor behind', async () => {
    const manager = makeManager({ containment })
    await run(manager, { command: fixture('exit-with'), args: ['0'] })
    const before = countDescriptors()
    for (let i = 0; i < 5; i++) await run(manager, { command: fixture('exit-with'), args: ['0'] })
    const id = await startReady(manager, { command: fixture('say-ready') })
    const above = look(manager.getProcessStatus(id).pid).ppid
    expect(countDescriptors()).toBeGreaterThan(before)
    expect(await manager.stopProcess(id)).toBe(true)
    if (above !== process.pid) expect(look(above)).toBeUndefined()
    await until(() => countDescriptors() === before, 'each descriptor has been given back')
  })
})

test('the status of an unknown id has no containment', () => {
  expect(makeManager().getProcessStatus('nobody')).not.toHaveProperty('containment')
})

describe('resourceUsage', () => {
  test('has the CPU time of a command', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('burn-cpu') })
    const { pid } = manager.getProcessStatus(id)
    const ticks = () => Number(fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/, '').split(' ')[12])
    /* USER_HZ is 100 everywhere, so that a tick is 10 ms. */
    await until(() => ticks() >= 20, 'it has used 200 ms')
    const exit = exitOf(manager, id)
    await manager.stopProcess(id)
    const { resourceUsage, uptime } = await exit
    expect(resourceUsage).toEqual(anyUsage())
    if (portable) return
    const { userCPUTime, systemCPUTime } = resourceUsage
    expect(Number.isInteger(userCPUTime) && Number.isInteger(systemCPUTime)).toBe(true)
    expect(userCPUTime).toBeGreaterThan(150000)
    expect(systemCPUTime).toBeGreaterThanOrEqual(0)
    expect(userCPUTime + systemCPUTime).toBeLessThan(uptime * 1e6 + 50000)
  })

  test('has the most memory that it had', async () => {
    /* Linux counts in what the host had, so it is a small host. */
    const host = await runHost(async ({ ProcessManager, fixture, print, ready }) => {
      const manager = new ProcessManager()
      const id = manager.spawnProcess({ command: fixture('touch-memory'), args: ['160'] })
      await ready(manager, id)
      manager.stopProcess(id)
      manager.on('exit', ({ resourceUsage }) => print([resourceUsage, process.resourceUsage().maxRSS]))
    })
    expect(host).toMatchObject({ code: 0, stderr: '' })
    const [resourceUsage, hosts] = host.printed[0]
    expect(resourceUsage).toEqual(anyUsage())
    if (portable) return
    expect(resourceUsage.maxRSS).toBeGreaterThanOrEqual(160 * 1024)
    expect(resourceUsage.maxRSS).toBeLessThan(Math.max(192 * 1024, hosts + 4096))
  })

  withKeeper('has that of descendants that the command waited for, of the largest the memory', async () => {
    const { exit } = await run(makeManager(), {
      command: 'sh', args: ['-c', '"$0" -e "Buffer.alloc(96 << 20, 1)"; true', process.execPath]
    })
    expect(exit).toMatchObject({ code: 0 })
    expect(exit.resourceUsage.maxRSS).toBeGreaterThan(96 * 1024)
    expect(exit.resourceUsage.userCPUTime).toBeGreaterThan(5000)
  })

  test('begins anew with each start', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('burn-cpu') })
    await until(() => manager.getProcessStatus(id).uptime > 0.3, 'it has burnt for a while')
    const [first, again] = [exitOf(manager, id), wrote(manager, id, 'ready')]
    manager.restartProcess(id)
    const before = (await first).resourceUsage
    await again
    const second = exitOf(manager, id)
    await manager.stopProcess(id)
    const after = (await second).resourceUsage
    expect([before, after]).toEqual([anyUsage(), anyUsage()])
    if (!portable) expect(after.userCPUTime).toBeLessThan(before.userCPUTime + 300000)
  })
})

describe('eofTimeout', () => {
  test('ends stdin first: who ends by that has had no signal', async () => {
    const manager = makeManager({ eofTimeout: 20000 })
    const id = await startReady(manager, { command: fixture('exit-on-eof') })
    const [exit, stop] = [exitOf(manager, id), once(manager, 'stop')]
    expect(await manager.stopProcess(id)).toBe(true)
    expect(await exit).toMatchObject({ code: 0, signal: null, requested: true })
    expect(await stop).toMatchObject({ stopped: true, step: 'stdin', code: 0, signal: null, killed: 0, left: 0, survivors: [] })
    expect((await stop).duration).toBeLessThan(20000)
  })

  test('is what then passes before the signal', async () => {
    const manager = makeManager({ eofTimeout: 100 })
    const id = await startReady(manager, { command: fixture('slow-term'), args: ['1'] })
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id)).toBe(true)
    const { step, duration, killed } = await stop
    expect([step, killed]).toEqual(['SIGTERM', 0])
    expect(duration).toBeGreaterThanOrEqual(99)
  })

  test('is followed by SIGTERM, and that by SIGKILL', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('ignore-term'), eofTimeout: 60 })
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id, 80)).toBe(true)
    const { duration, ...rest } = await stop
    expect(rest).toEqual({
      processId: id, stopped: true, step: 'SIGKILL', code: null, signal: 'SIGKILL', killed: 1, left: 0, survivors: []
    })
    expect(duration).toBeGreaterThanOrEqual(139)
  })

  test('of 0 leaves that step out', async () => {
    const manager = makeManager({ eofTimeout: 20000 })
    const id = await startReady(manager, { command: fixture('exit-on-eof'), eofTimeout: 0 })
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id, 50)).toBe(true)
    expect(await stop).toMatchObject({ step: 'SIGKILL', signal: 'SIGKILL', killed: 1 })
  })

  test('does not hold up a stop without a timeout', async () => {
    const manager = makeManager({ eofTimeout: 60000 })
    const id = await startReady(manager, { command: fixture('ignore-term') })
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id, 0)).toBe(true)
    expect(await stop).toMatchObject({ step: 'SIGKILL', killed: 1 })
    expect((await stop).duration).toBeLessThan(20000)
  })
})

describe('killed', () => {
  test('counts what was alive when SIGKILL came', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', 'for i in 1 2 3; do "$0" & done; wait', fixture('ignore-term')] })
    let ready = 0
    await once(manager, 'stdout', ({ data }) => (ready += data.match(/ready\n/g).length) === 3)
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id, 100)).toBe(true)
    /* The shell has ended by SIGTERM. The members of a group are not counted. */
    const killed = inEffect('tree') === 'group' ? 1 : 3
    expect(await stop).toMatchObject({ step: 'SIGKILL', killed, left: 0, survivors: [], signal: 'SIGTERM' })
  })
})

describe('killTree: false', () => {
  test.each([
    ['tree', 'setsid'], ['tree', 'stay'], ['nested', 'hold-stdout'], ['group', 'stay'], ['group', 'hold-stdout'], ['none', 'stay']
  ])('leaves alone what a command leaves behind, and closes the pipes (%s, %s)', async (containment, mode) => {
    const manager = makeManager({ containment, killTree: false })
    await run(manager, { command: fixture('exit-with'), args: ['0'] })
    const before = countDescriptors()
    const [id, grandchild, exit] = await startFamily(manager, [mode, '3'])
    try {
      expect(await exit).toMatchObject({ code: 3, signal: null, requested: false })
      await until(() => countDescriptors() === before, 'the pipes are closed')
      expect(manager.getProcessStatus(id)).toMatchObject({ status: 'stopped', state: 'exited', pid: 0, exitCode: 3 })
      expect(await manager.stopProcess(id, 0)).toBe(true)
      expect(manager.removeProcess(id)).toBe(true)
      expect(isAlive(grandchild)).toBe(true)
      expect(namesAbove(grandchild)).not.toContain('mcp-keeper')
    } finally {
      end(grandchild)
    }
  })

  test('lets a stop end everything all the same', async () => {
    const manager = makeManager({ killTree: false })
    const [id, grandchild] = await startFamily(manager, ['stay'])
    expect(await manager.stopProcess(id)).toBe(true)
    expect(isAlive(grandchild)).toBe(false)
  })

  test('does not hold up a restart', async () => {
    const manager = makeManager({ killTree: false, autoRestart: true, maxRestarts: 1, restartDelay: 1, stopTimeout: Infinity })
    const left = []
    manager.on('stdout', ({ data }) => left.push(Number(/grandchild (\d+)/.exec(data)[1])))
    manager.spawnProcess({ command: fixture('spawn-grandchild'), args: ['ignore-term', '1'] })
    try {
      expect((await once(manager, 'error')).error.code).toBe('ERR_RESTART_LIMIT')
      expect(left).toHaveLength(2)
      expect(left.map(isAlive)).toEqual([true, true])
    } finally {
      left.forEach(end)
    }
  })
})

describe('killTree: true', () => {
  test.each([['tree', 'stay'], ['tree', 'hold-stdout'], ['group', 'stay']])(
    'ends what a command leaves behind (%s, %s)', async (containment, mode) => {
      const [, grandchild, exit] = await startFamily(makeManager({ containment }), [mode, '3'])
      expect(await exit).toMatchObject({ code: 3 })
      await until(() => !isAlive(grandchild), 'it has been ended')
    })

  withKeeper.each([['tree', 'setsid'], ['nested', 'setsid'], ['tree', 'setsid-flood']])(
    'ends what left the session too (%s, %s)', async (containment, mode) => {
      const [, grandchild, exit] = await startFamily(makeManager({ containment }), [mode, '3'])
      expect(await exit).toMatchObject({ code: 3 })
      await until(() => !isAlive(grandchild), 'it has been ended')
    })

  withKeeper.each([['tree'], ['nested']])('a stop ends what left the session (%s)', async containment => {
    const manager = makeManager({ containment })
    const [id, grandchild] = await startFamily(manager, ['setsid'])
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id)).toBe(true)
    expect(isAlive(grandchild)).toBe(false)
    expect(await stop).toMatchObject({ stopped: true, step: 'SIGTERM', killed: 0, left: 0, survivors: [] })
  })
})

describe('stopSignal', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'])('%s is what a stop sends', async signal => {
    const manager = makeManager({ stopSignal: { signal } })
    const id = await startReady(manager, { command: fixture('tell-signals'), args: [String(signals[signal])] })
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id)).toBe(true)
    expect(await stop).toMatchObject({ step: signal, code: 0, signal: null, killed: 0 })
    const told = manager.getProcessLogs(id).stdout.filter(line => line !== `command ${signals.SIGCONT}`)
    expect(told).toEqual(['ready', `command ${signals[signal]}`])
  })

  test.each([['tree', 'tree'], ['tree', 'group'], ['command', 'tree'], ['command', 'group']])(
    'goes to the %s (containment: %s)', async (to, containment) => {
      const manager = makeManager({ containment, stopSignal: { to, signal: 'SIGHUP' } })
      const args = [String(signals.SIGUSR1), 'child']
      const id = await startReady(manager, { command: fixture('tell-signals'), args })
      const told = (to === 'tree' ? ['command', 'child'] : ['command']).map(who => wrote(manager, id, `${who} ${signals.SIGHUP}\n`))
      const stopped = manager.stopProcess(id, to === 'tree' ? 60000 : 200)
      await Promise.all(told)
      if (to === 'tree') manager.stopProcess(id, 0)
      expect(await stopped).toBe(true)
      const lines = manager.getProcessLogs(id).stdout
      expect(lines.includes(`child ${signals.SIGHUP}`)).toBe(to === 'tree')
    })

  test('given in part for a process keeps the other part of the manager', async () => {
    const manager = makeManager({ stopSignal: { signal: 'SIGHUP' } })
    const id = await startReady(manager, {
      command: fixture('tell-signals'), args: [String(signals.SIGUSR1), 'child'], stopSignal: { to: 'command' }
    })
    expect(await manager.stopProcess(id, 200)).toBe(true)
    const lines = manager.getProcessLogs(id).stdout
    expect(lines).toContain(`command ${signals.SIGHUP}`)
    expect(lines).not.toContain(`child ${signals.SIGHUP}`)
  })

  test('to the command leaves nothing behind when that has ended', async () => {
    const manager = makeManager({ stopSignal: { to: 'command' } })
    const [id, grandchild] = await startFamily(manager, ['stay'])
    const stop = once(manager, 'stop')
    expect(await manager.stopProcess(id)).toBe(true)
    expect(isAlive(grandchild)).toBe(false)
    expect(await stop).toMatchObject({ stopped: true, signal: 'SIGTERM' })
  })
})

describe('a keeper that is killed', () => {
  withKeeper('is an error, and an exit of which nobody knows more', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const { pid } = manager.getProcessStatus(id)
    const seen = record(manager)
    const exit = exitOf(manager, id)
    process.kill(look(pid).ppid, 'SIGKILL')
    expect(await exit).toMatchObject({ code: null, signal: null, pid, resourceUsage: null, requested: false })
    expect(seen.map(([name]) => name)).toEqual(['error', 'exit'])
    expect(seen[0][1]).toMatchObject({ processId: id, error: { code: 'ERR_KEEPER_LOST' } })
    expect(seen[0][1].error).toBeInstanceOf(Error)
    await until(() => !isAlive(pid), 'the command has ended too')
  })

  withKeeper('is restarted with its command', async () => {
    const manager = makeManager({ autoRestart: true, restartDelay: 1 })
    manager.on('error', () => {})
    const id = await startReady(manager, { command: fixture('say-ready') })
    const restart = once(manager, 'restart')
    process.kill(look(manager.getProcessStatus(id).pid).ppid, 'SIGKILL')
    expect(await restart).toMatchObject({ processId: id, restarts: 1 })
    expect(manager.getProcessStatus(id).containment).toBe('tree')
  })
})

describe('without a keeper beside the addon', () => {
  let directory

  /* Copies of the package as they are installed, but that the one file is missing. */
  beforeEach(() => {
    const root = path.join(__dirname, '..', '..')
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keeper-test-'))
    for (const name of ['first', 'second']) {
      const copy = path.join(directory, name)
      fs.cpSync(path.join(root, 'lib'), path.join(copy, 'lib'), { recursive: true })
      fs.symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'))
      fs.mkdirSync(path.join(copy, 'build', 'Release'), { recursive: true })
      fs.copyFileSync(require('node-gyp-build').path(root), path.join(copy, 'build', 'Release', 'process_manager.node'))
    }
  })

  afterEach(() => fs.rmSync(directory, { recursive: true }))

  const body = async ({ fixture, print, ready }, directory, levels) => {
    const warnings = []
    process.on('warning', ({ name, code, message, detail }) => warnings.push({ name, code, message, detail }))
    const managers = []
    const reload = () => {
      for (const file of Object.keys(require.cache)) {
        if (file.startsWith(directory) && file.endsWith('.js')) delete require.cache[file]
      }
    }
    for (const copy of ['first', 'second', 'first']) {
      reload()
      const ProcessManager = require(`${directory}/${copy}/lib/process-manager.js`)
      for (const containment of levels) {
        const manager = new ProcessManager({ containment })
        const ids = [0, 1].map(() => manager.spawnProcess({ command: fixture('say-ready') }))
        await Promise.all(ids.map(id => ready(manager, id)))
        print(manager.listProcesses().map(({ containment }) => containment))
        managers.push(manager)
      }
    }
    await Promise.all(managers.map(manager => manager.cleanup()))
    print(warnings)
  }

  test('it is the group, of which one warning tells', async () => {
    const host = await runHost(body, { args: [directory, ['tree', 'nested']], nodeArgs: ['--no-warnings'] })
    expect(host).toMatchObject({ code: 0, stderr: '' })
    const warnings = host.printed.pop()
    expect(host.printed).toEqual(Array(6).fill(['group', 'group']))
    if (portable) {
      expect(warnings).toEqual([])
      return
    }
    const detail = path.join(directory, 'first', 'build', 'Release', 'mcp-process-keeper')
    expect(warnings).toEqual([{ name: 'ProcessManagerWarning', code: 'ERR_KEEPER_UNAVAILABLE', message: expect.any(String), detail }])
    expect(warnings[0].message).toContain('ENOENT')
    await host.survivors()
  })

  test('nothing is missed that nobody wants', async () => {
    const host = await runHost(body, { args: [directory, ['group', 'none']], nodeArgs: ['--no-warnings'] })
    expect(host).toMatchObject({ code: 0, stderr: '' })
    expect(host.printed.pop()).toEqual([])
    expect(host.printed.slice(0, 2)).toEqual([['group', 'group'], ['none', 'none']])
    await host.survivors()
  })
})

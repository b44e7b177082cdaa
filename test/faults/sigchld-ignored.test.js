'use strict'

// Hosts that ignore SIGCHLD, for which the kernel reaps their children and keeps their status.

const { runHost } = require('../support/host')
const { portable } = require('../support/manager')

/** Runs everything that waits for an end, and ends by `ends`. */
const hostThatIgnores = async ({ ProcessManager, fixture, print, ready }, containment, ends) => {
  const fs = require('node:fs')
  try {
    process.dlopen({ exports: {} }, fixture('ignore-sigchld.so'))
  } catch (error) {
    if (!/self-register/.test(error.message)) throw error
  }
  const isIgnored = () => (BigInt(`0x${/^SigIgn:\s*(\w+)$/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))[1]}`) & (1n << 16n)) !== 0n
  const manager = new ProcessManager({ containment, restartDelay: 1 })
  const exitOf = id => new Promise(resolve => manager.on('exit', exit => exit.processId === id && resolve(exit)))
  const next = event => new Promise(resolve => manager.once(event, resolve))
  manager.on('error', ({ error }) => print({ error: error.code }))
  print({ isIgnored: isIgnored() })
  for (const [name, ...args] of [['exit-with', '7'], ['die-by', '9']]) {
    const { code, signal } = await exitOf(manager.spawnProcess({ command: fixture(name), args }))
    print({ name, code, signal })
  }
  const failed = manager.spawnProcess({ command: '/none' })
  await next('error')
  print(manager.getProcessStatus(failed).status)
  const id = manager.spawnProcess({ command: fixture('say-ready') })
  await ready(manager, id)
  const stop = next('stop')
  print({ stopped: await manager.stopProcess(id), ...await stop.then(({ step, left }) => ({ step, left })) })
  const again = manager.spawnProcess({ command: fixture('say-ready') })
  await ready(manager, again)
  print({ restarted: await manager.restartProcess(again), restarts: manager.getProcessStatus(again).restarts })
  print({ isIgnored: isIgnored() })
  if (ends === 'cleanup') await manager.cleanup()
  else process.kill(process.pid, 'SIGKILL')
}

describe('a host in which an addon ignores SIGCHLD', () => {
  /* libuv sets its own handler for SIGCHLD, so that nothing is ignored there. */
  const withClone = portable ? test.skip : test

  withClone.each([
    ['tree', 'cleanup'], ['nested', 'cleanup'], ['group', 'cleanup'], ['none', 'cleanup'],
    ['tree', 'SIGKILL'], ['nested', 'SIGKILL'], ['group', 'SIGKILL']
  ])(
    'hears of exits, stops, and ends with all it has (%s, %s)', async (containment, ends) => {
      /* A keeper has the status of its command; without one nobody has. */
      const knows = containment === 'tree' || containment === 'nested'
      const host = await runHost(hostThatIgnores, { args: [containment, ends] })
      expect(host).toMatchObject({ ...(ends === 'SIGKILL' ? { code: null, signal: ends } : { code: 0, signal: null }), stderr: '' })
      expect(host.printed).toEqual([
        { isIgnored: true },
        { name: 'exit-with', code: knows ? 7 : null, signal: null },
        { name: 'die-by', code: null, signal: knows ? 'SIGKILL' : null },
        { error: 'ENOENT' },
        'error',
        { stopped: true, step: 'SIGTERM', left: 0 },
        { restarted: true, restarts: 1 },
        { isIgnored: true }
      ])
      await host.survivors()
    })
})

test("a host after trap '' CHLD in its shell knows each status: Node does not keep what it inherits", async () => {
  const host = await runHost(async ({ ProcessManager, fixture, print, ready }) => {
    for (const containment of ['tree', 'nested', 'group', 'none']) {
      const manager = new ProcessManager({ containment })
      manager.spawnProcess({ command: fixture('exit-with'), args: ['7'] })
      const { code, signal } = await new Promise(resolve => manager.once('exit', resolve))
      const id = manager.spawnProcess({ command: fixture('say-ready') })
      await ready(manager, id)
      const exit = new Promise(resolve => manager.once('exit', resolve))
      print([code, signal, await manager.stopProcess(id), (await exit).signal])
      await manager.cleanup()
    }
  }, { wrap: ['sh', '-c', "trap '' CHLD; exec \"$0\" \"$@\""] })
  expect(host).toMatchObject({ code: 0, signal: null, stderr: '' })
  expect(host.printed).toEqual(Array(4).fill([7, null, true, 'SIGTERM']))
  await host.survivors()
})


'use strict'

// A host under a seccomp filter that refuses what a keeper needs: containment by the group, and a warning.

const { fixture } = require('../support/children')
const { runHost } = require('../support/host')
const { portable } = require('../support/manager')

/* The portable backend wants no keeper, so that none is missed. */
const withKeeper = portable ? test.skip : test
const calls = { subreaper: 'prctl', signalfd4: 'signalfd', pidfd_open: 'pidfd_open', execveat: 'execveat' }
/* How the host spawns then; uv_spawn has no parent-death signal. */
const backends = { subreaper: 'clone', signalfd4: 'clone', pidfd_open: 'uv_spawn', execveat: 'clone' }
const refusing = call => [fixture('refuse-call'), call]

/** Two managers with two families each: a command with a child in its group. */
const hostWithFamilies = async ({ ProcessManager, fixture, print }, containment, ends) => {
  const warnings = []
  process.on('warning', ({ name, code, message }) => warnings.push({ name, code, message }))
  const managers = [0, 1].map(() => new ProcessManager({ containment }))
  const ids = []
  for (const manager of managers) {
    for (let i = 0; i < 2; i++) {
      const id = manager.spawnProcess({ command: fixture('spawn-grandchild'), args: ['stay'] })
      await new Promise(resolve => manager.on('stdout', ({ processId }) => processId === id && resolve()))
      ids.push(id)
    }
  }
  print(managers.map(({ backend }) => backend))
  print(managers.flatMap(manager => manager.listProcesses().map(({ containment }) => containment)))
  const [first] = managers
  first.spawnProcess({ command: fixture('exit-with'), args: ['3'] })
  const { code } = await new Promise(resolve => first.once('exit', resolve))
  print([code, await first.stopProcess(ids[0])])
  if (ends === 'cleanup') await Promise.all(managers.map(manager => manager.cleanup()))
  print(warnings)
  process.exit()
}

withKeeper.each(Object.keys(calls).flatMap(call => [[call, 'tree', 'cleanup'], [call, 'nested', 'exit']]))(
  'without %s: the group, of which one warning tells (%s, %s)', async (call, containment, ends) => {
    const host = await runHost(hostWithFamilies, { args: [containment, ends], wrap: refusing(call), nodeArgs: ['--no-warnings'] })
    expect(host).toMatchObject({ code: 0, signal: null, stderr: '' })
    const backend = backends[call]
    expect(host.printed).toEqual([
      [backend, backend],
      Array(4).fill('group'),
      [3, true],
      [{ name: 'ProcessManagerWarning', code: 'ERR_KEEPER_UNAVAILABLE', message: expect.stringContaining(calls[call]) }]
    ])
    await host.survivors()
  })

test('nobody warns who wants no keeper', async () => {
  const host = await runHost(hostWithFamilies, { args: ['group', 'exit'], wrap: refusing('subreaper'), nodeArgs: ['--no-warnings'] })
  expect(host).toMatchObject({ code: 0, signal: null, stderr: '' })
  expect(host.printed.slice(1)).toEqual([Array(4).fill('group'), [3, true], []])
  await host.survivors()
})

withKeeper('when such a host is killed, the kernel ends the commands', async () => {
  const host = await runHost(async ({ ProcessManager, fixture, print, ready }) => {
    const manager = new ProcessManager()
    await Promise.all(['say-ready', 'ignore-term'].map(name => ready(manager, manager.spawnProcess({ command: fixture(name) }))))
    print(manager.listProcesses().map(({ containment }) => containment))
    process.kill(process.pid, 'SIGKILL')
  }, { wrap: refusing('subreaper'), nodeArgs: ['--no-warnings'] })
  expect(host).toMatchObject({ code: null, signal: 'SIGKILL', stderr: '', printed: [['group', 'group']] })
  await host.survivors()
})

'use strict'

// A manager inside a managed tree: its host is asked to end, and its trees are its own affair.

const path = require('node:path')
const { makeManager, wrote, once, portable, preload } = require('../support/manager')
const { fixture } = require('../support/children')

/* The portable backend has no keepers. */
const withKeeper = portable ? test.skip : test

/** Passes on what its server says. Asked to end, it says so, and stops it: that may take its time. */
const gateway = ({ ProcessManager, server, containment }) => {
  const manager = new ProcessManager({ stopTimeout: 60000, containment })
  manager.on('stdout', ({ data }) => process.stdout.write(data))
  const id = manager.spawnProcess(server)
  process.on('SIGHUP', () => process.stdout.write('gateway reloads\n'))
  process.on('SIGTERM', async () => {
    process.stdout.write('gateway ends\n')
    manager.on('exit', ({ code }) => process.stdout.write(`server exits ${code}\n`))
    await manager.stopProcess(id)
    process.exit(0)
  })
}

async function startGateway (options, server) {
  const manager = makeManager(options)
  const argument = JSON.stringify({ server, containment: options.containment })
  const module = JSON.stringify(path.join(__dirname, '..', '..', 'lib', 'process-manager.js'))
  const script = `(${gateway})({ ProcessManager: require(${module}), ...${argument} })`
  const env = preload && { LD_PRELOAD: preload }
  const id = manager.spawnProcess({
    command: process.execPath, args: ['-e', script], inheritEnv: true, env, allowUnsafeEnv: ['LD_PRELOAD']
  })
  await wrote(manager, id, 'ready')
  const written = () => manager.getProcessLogs(id).stdout
  return { manager, id, written }
}

const kept = [['tree'], ['nested']]
const times = (lines, end) => lines.filter(line => line.endsWith(end)).length

withKeeper.each(kept)('ends its trees in its own time (%s)', async containment => {
  /* Longer than hostExitTimeout. */
  const server = { command: fixture('slow-term'), args: ['300'] }
  const { manager, id, written } = await startGateway({ containment, hostExitTimeout: 1 }, server)
  const stop = once(manager, 'stop')
  expect(await manager.stopProcess(id, 60000)).toBe(true)
  expect(await stop).toMatchObject({ step: 'SIGTERM', code: 0, killed: 0, left: 0 })
  expect(written()).toEqual(['ready', 'gateway ends', 'ending', 'server exits 0'])
})

withKeeper.each(kept)('is the only one that asks its trees to end (%s)', async containment => {
  const server = { command: fixture('note-signals'), args: ['3'], stopTimeout: 500 }
  const { manager, id, written } = await startGateway({ containment }, server)
  expect(await manager.stopProcess(id, 60000)).toBe(true)
  expect(times(written(), ' 15')).toBe(3)
})

withKeeper.each(kept)('gets signals to the whole tree, and so do its servers, not its keepers (%s)', async containment => {
  const server = { command: fixture('note-signals'), args: ['3'] }
  const { manager, id, written } = await startGateway({ containment }, server)
  /* The second one comes after all that the first may have caused. */
  for (const n of [1, 2]) {
    const all = once(manager, 'stdout', () => times(written(), ' 1') === 3 * n && times(written(), 'reloads') === n)
    manager.signalProcess(id, 'SIGHUP', { tree: true })
    await all
  }
  expect(times(written(), ' 15')).toBe(0)
})

withKeeper.each(kept)('is killed with its trees when that takes too long (%s)', async containment => {
  const server = { command: fixture('note-signals'), args: ['3'] }
  const { manager, id, written } = await startGateway({ containment }, server)
  const stop = once(manager, 'stop')
  expect(await manager.stopProcess(id, 500)).toBe(true)
  expect(await stop).toMatchObject({ step: 'SIGKILL', left: 0 })
  expect(written()).toContain('gateway ends')
})

'use strict'

// Nothing grows: descriptors and zombies after many starts.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { makeManager, once, exitOf, startReady } = require('../support/manager')
const { fixture, countDescriptors, zombies, until } = require('../support/children')

const turn = () => new Promise(resolve => setImmediate(resolve))

/** Runs `cycle` `times` times; descriptors and zombies must be as after the first time. */
async function expectNoGrowth (times, cycle) {
  await cycle()
  await turn()
  const before = countDescriptors()
  for (let i = 0; i < times; i++) await cycle()
  await turn()
  await until(() => countDescriptors() <= before, 'the descriptors are back', 5000)
  expect(countDescriptors()).toBeLessThanOrEqual(before) // a log file may have been open still
  expect(zombies()).toEqual([])
}

test('300 starts and ends', async () => {
  const manager = makeManager()
  await expectNoGrowth(300, () => exitOf(manager, manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] })))
  expect(manager.listProcesses()).toHaveLength(100)
})

test('50 starts and stops, with output and waiting input', async () => {
  const manager = makeManager()
  manager.on('error', () => {})
  await expectNoGrowth(50, async () => {
    const id = await startReady(manager, { command: fixture('never-read-stdin') })
    manager.writeStdin(id, Buffer.alloc(200000))
    await manager.stopProcess(id)
  })
})

test('30 starts with a log file, messages and followers', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-leak-'))
  try {
    const manager = makeManager({ messages: 'json' })
    const logFile = { path: path.join(directory, 'log'), maxBytes: 4096, maxFiles: 2 }
    await expectNoGrowth(30, async () => {
      const id = manager.spawnProcess({ command: fixture('echo-stdin'), logFile })
      const exit = exitOf(manager, id)
      for (let n = 0; n < 20; n++) manager.sendMessage(id, { n, text: 'x'.repeat(1000) })
      manager.closeStdin(id)
      let lines = 0
      for await (const { line } of manager.followLogs(id)) lines += line.length > 0
      expect(lines).toBe(20)
      await exit
      manager.removeProcess(id)
    })
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
})

test('10000 followers that end while they wait', async () => {
  const manager = makeManager()
  const id = await startReady(manager, { command: fixture('say-ready') })
  const controller = new AbortController()
  const cycle = async () => {
    const follower = manager.followLogs(id, { lines: 0, signal: controller.signal })
    const next = follower.next()
    await follower.return()
    await next
  }
  for (let n = 0; n < 2000; n++) await cycle()
  const before = process.memoryUsage().rss
  for (let n = 0; n < 8000; n++) await cycle()
  expect(process.memoryUsage().rss - before).toBeLessThan(20 * 2 ** 20)
})

test('100 failed starts', async () => {
  const manager = makeManager()
  await expectNoGrowth(100, async () => {
    const failed = once(manager, 'error')
    manager.spawnProcess({ command: '/none' })
    await failed
  })
})

test('a restart loop', async () => {
  const manager = makeManager({ restartDelay: 0, maxRestarts: Infinity })
  const restarted = n => once(manager, 'restart', ({ restarts }) => restarts >= n)
  const id = manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true })
  await restarted(5)
  await manager.stopProcess(id)
  await expectNoGrowth(3, async () => {
    const { restarts } = manager.getProcessStatus(id)
    await manager.restartProcess(id)
    await restarted(restarts + 40)
    await manager.stopProcess(id)
  })
})

test('50 restarts by request', async () => {
  const manager = makeManager()
  const id = await startReady(manager, { command: fixture('say-ready') })
  await expectNoGrowth(50, () => manager.restartProcess(id))
  expect(manager.getProcessStatus(id).restarts).toBe(51)
})

test('50 managers', async () => {
  await expectNoGrowth(50, async () => {
    const manager = makeManager()
    await exitOf(manager, manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] }))
    await manager.cleanup()
  })
})

test('the memory of ended processes is bounded by maxEnded', async () => {
  const manager = makeManager({ maxEnded: 5 })
  const config = { command: fixture('flood'), args: ['1000000', '100'] }
  const cycle = () => exitOf(manager, manager.spawnProcess(config))
  for (let i = 0; i < 20; i++) await cycle()
  const before = process.memoryUsage().rss
  for (let i = 0; i < 60; i++) await cycle()
  expect(process.memoryUsage().rss - before).toBeLessThan(30 * 2 ** 20)
})

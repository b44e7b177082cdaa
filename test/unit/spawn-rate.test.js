'use strict'

// maxSpawnsPerSecond: automatic restarts wait for their turn.

const { makeManager, record, once, thrownBy, startReady, portable } = require('../support/manager')
const { fixture, until } = require('../support/children')

/* A rate that also a machine which has other things to do can start them at. */
const SERVERS = 30
const RATE = 4
const alive = { command: fixture('say-ready') }

/* As servers are: to start it takes a processor for a while. */
const server = { command: process.execPath, args: ['-e', 'process.stdout.write("ready\\n"); setInterval(() => {}, 1e6)'] }

/** Starts processes that all are killed at once, and waits until each has ended. */
async function crash (manager, count, config = alive) {
  const ids = Array.from({ length: count }, (_, i) => `s${i}`)
  await Promise.all(ids.map(id => startReady(manager, { ...config, id })))
  let left = count
  const ended = new Promise(resolve => manager.on('exit', () => --left === 0 && resolve()))
  for (const id of ids) manager.signalProcess(id, 'SIGKILL')
  await ended
  return ids
}

/** When the restarts of a storm came, in ms. */
async function storm (rate) {
  const manager = makeManager({ autoRestart: true, restartDelay: 50, restartJitter: 0, maxSpawnsPerSecond: rate })
  const times = []
  let ready = 0
  manager.on('restart', () => times.push(performance.now()))
  const queued = record(manager, ['queued'])
  await crash(manager, SERVERS, server)
  manager.on('stdout', () => ready++)
  await until(() => ready === SERVERS, 'all of them', 60000)
  await manager.stopAll(0)
  return { times, queued }
}

/** The most of the times that lie within so many ms. */
function mostWithin (times, ms) {
  return Math.max(...times.map(from => times.filter(at => at >= from && at < from + ms).length))
}

/* A fork of a large host takes longer than the distance between two starts: nobody has to wait. */
const testClone = portable ? test.skip : test

testClone('30 servers that crash together come back one after the other', async () => {
  const limited = await storm(RATE)
  expect(limited.queued.length).toBeGreaterThan(SERVERS / 2)
  // A start that was held up may be followed by one that was not.
  expect(mostWithin(limited.times, 3000)).toBeLessThanOrEqual(3 * RATE + RATE / 4 + 3)
  const free = await storm(Infinity)
  expect(free.queued).toEqual([])
  expect(mostWithin(free.times, 3000)).toBeGreaterThan(mostWithin(limited.times, 3000))
}, 200000)

test('the queue is to be seen: an event, a state, a position', async () => {
  const manager = makeManager({ autoRestart: true, restartDelay: 1, maxSpawnsPerSecond: 0.001 })
  const queued = record(manager, ['queued'])
  await crash(manager, 3)
  await until(() => queued.length === 3, 'the queue')
  expect(queued.map(([, { position }]) => position)).toEqual([1, 2, 3])
  for (const [, { processId, position, restarts }] of queued) {
    expect(restarts).toBe(0)
    expect(manager.getProcessStatus(processId)).toMatchObject({ status: 'stopped', state: 'queued', queuePosition: position })
  }
  expect(manager.listProcesses().map(({ state }) => state)).toEqual(['queued', 'queued', 'queued'])
  expect(await manager.metricsText()).toContain('mcp_process_state{id="s0",state="queued"} 1\n')
  expect(manager.removeProcess('s0')).toBe(false)
  const [first, second, third] = queued.map(([, { processId }]) => processId)
  expect(await manager.stopProcess(first)).toBe(true)
  expect(manager.getProcessStatus(first)).toMatchObject({ state: 'exited', queuePosition: null })
  expect(manager.getProcessStatus(third).queuePosition).toBe(2)
  expect(await manager.restartProcess(third)).toBe(true)
  expect(manager.getProcessStatus(third)).toMatchObject({ state: 'running', queuePosition: null })
  expect(manager.getProcessStatus(second).queuePosition).toBe(1)
})

test('the queue counts for maxProcesses, and a manager is given up with it', async () => {
  const manager = makeManager({ autoRestart: true, restartDelay: 1, maxSpawnsPerSecond: 0.001, maxProcesses: 2 })
  await crash(manager, 2)
  await until(() => manager.listProcesses().every(({ state }) => state === 'queued'), 'the queue')
  expect(thrownBy(() => manager.spawnProcess(alive)).code).toBe('ERR_PROCESS_LIMIT')
  await manager.cleanup()
  expect(manager.listProcesses()).toEqual([])
})

test('what somebody asks for does not wait', async () => {
  const manager = makeManager({ maxSpawnsPerSecond: 0.001 })
  for (let i = 0; i < 10; i++) expect(manager.getProcessStatus(manager.spawnProcess(alive)).state).toBe('running')
  expect(await manager.restartProcess('proc_1000')).toBe(true)
})

test('a few restarts at the usual delays never wait', async () => {
  const manager = makeManager({ autoRestart: true, restartDelay: 1, maxRestarts: 5 })
  const seen = record(manager, ['queued', 'restart'])
  manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], restartFactor: 1 })
  await once(manager, 'limit')
  expect(seen.map(([name]) => name)).toEqual(Array(5).fill('restart'))
  manager.on('error', () => {})
})

test.each([
  [0, 'ERR_OUT_OF_RANGE', 'options.maxSpawnsPerSecond must be a number from 0.001 to Infinity; got 0'],
  [-1, 'ERR_OUT_OF_RANGE', 'got -1'], [NaN, 'ERR_OUT_OF_RANGE', 'got NaN'],
  ['20', 'ERR_INVALID_ARG_TYPE', 'options.maxSpawnsPerSecond must be a number; got "20"']
])('refuses %p', (maxSpawnsPerSecond, code, words) => {
  const error = thrownBy(() => makeManager({ maxSpawnsPerSecond }))
  expect(error.code).toBe(code)
  expect(error.message).toContain(words)
})

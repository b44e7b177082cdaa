'use strict'

// Children that try to take the host's loop for themselves, beside a timer of 1 ms in it. How late
// that fires is compared with what ten floods do to it that are read by child_process: whatever the
// machine is busy with, ours must leave more of the loop.

const { spawn } = require('node:child_process')
const { makeManager, exitOf, startReady, run, thrownBy } = require('../support/manager')
const { fixture } = require('../support/children')

const MB = 1e6
const FLOODS = 10
const BYTES = 8 * MB
const flood = { command: fixture('flood'), args: [`${BYTES}`, '80'] }

/** How many ms apart a timer of 1 ms fired while work was under way, the longest first. */
async function gapsDuring (work) {
  const gaps = []
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    gaps.push(now - last)
    last = now
  }, 1)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  gaps.push(performance.now() - last)
  return gaps.sort((a, b) => b - a)
}

const typical = gaps => gaps[Math.floor(gaps.length / 10)]

/** The last 1000 lines of a flood, as one would keep them in JavaScript. */
function keepLines () {
  return new Promise((resolve, reject) => {
    const child = spawn(flood.command, flood.args)
    const ring = []
    let rest = ''
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', text => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      ring.push(...lines)
      if (ring.length > 1000) ring.splice(0, ring.length - 1000)
    })
    child.on('error', reject)
    child.on('close', resolve)
  })
}

let yardstick

beforeAll(async () => {
  yardstick = typical(await gapsDuring(() => Promise.all(Array.from({ length: FLOODS }, keepLines))))
})

test('ten floods', async () => {
  const manager = makeManager()
  const ids = []
  const gaps = await gapsDuring(async () => {
    for (let i = 0; i < FLOODS; i++) ids.push(manager.spawnProcess(flood))
    await Promise.all(ids.map(id => exitOf(manager, id)))
  })
  for (const id of ids) expect(manager.getProcessStatus(id).output.stdout.lines).toBe(BYTES / 80)
  expect(typical(gaps)).toBeLessThan(yardstick)
})

test('lines without end', async () => {
  const manager = makeManager({ maxLogBytes: 100_000 })
  const ids = []
  const gaps = await gapsDuring(async () => {
    for (let i = 0; i < FLOODS; i++) ids.push(manager.spawnProcess({ command: fixture('one-line'), args: [`${BYTES}`] }))
    await Promise.all(ids.map(id => exitOf(manager, id)))
  })
  for (const id of ids) {
    const { lines, bytes, cutBytes } = manager.getProcessStatus(id).output.stdout
    expect({ lines, bytes, cutBytes }).toEqual({ lines: 1, bytes: BYTES, cutBytes: BYTES - 100_000 })
  }
  expect(typical(gaps)).toBeLessThan(yardstick)
})

test('messages without end', async () => {
  const manager = makeManager({ messages: 'raw', maxMessageBytes: MB, maxLogBytes: MB })
  const errors = []
  manager.on('message', () => {})
  manager.on('error', ({ error }) => errors.push(error.code))
  const gaps = await gapsDuring(() => Promise.all(Array.from({ length: FLOODS }, () =>
    run(manager, { command: fixture('one-line'), args: [`${BYTES}`] }))))
  expect(errors).toEqual(new Array(FLOODS).fill('ERR_MESSAGE_TOO_LONG'))
  expect(typical(gaps)).toBeLessThan(yardstick)
})

test('a stdin that is never read', async () => {
  const manager = makeManager({ maxStdinBytes: 16 * MB })
  const id = await startReady(manager, { command: fixture('never-read-stdin') })
  const megabyte = Buffer.alloc(MB)
  let refused = 0
  const gaps = await gapsDuring(async () => {
    for (let i = 0; i < 200; i++) {
      if (i < 16) manager.writeStdin(id, megabyte)
      else if (thrownBy(() => manager.writeStdin(id, megabyte)).code === 'ERR_STDIN_FULL') refused++
      await new Promise(resolve => setImmediate(resolve))
    }
  })
  expect(refused).toBeGreaterThan(180)
  expect(typical(gaps)).toBeLessThan(yardstick)
})

'use strict'

// pauseOutput and resumeOutput: stdout waits, stderr never.

const fs = require('node:fs')
const { makeManager, exitOf, once, startReady, run, wrote } = require('../support/manager')
const { fixture, until } = require('../support/children')

const MiB = 2 ** 20
const turn = () => new Promise(resolve => setImmediate(resolve))
const shell = (script, config = {}) => ({ command: 'sh', args: ['-c', script], ...config })
const stdoutOf = (manager, id) => manager.getProcessStatus(id).output.stdout

/** A command that writes without end, once it is blocked by a pause. */
async function blocked (manager, config = {}) {
  const id = manager.spawnProcess({ command: fixture('flood'), args: ['500000000', '100'], ...config })
  await until(() => stdoutOf(manager, id).lines > 0, 'it writes')
  expect(manager.pauseOutput(id)).toBe(true)
  await waits(manager, id)
  return id
}

/* It sleeps, and its pipe is full: what it waits for is that somebody reads. */
async function waits (manager, id) {
  const { pid } = manager.getProcessStatus(id)
  const where = () => fs.readFileSync(`/proc/${pid}/wchan`, 'latin1')
  const state = () => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1][0]
  let seen = 0
  await until(() => {
    seen = state() === 'S' && (/pipe/.test(where()) || where() === '0') ? seen + 1 : 0
    return seen > 3
  }, 'the command waits')
}

describe('pauseOutput', () => {
  test('stops the reading of stdout, and resumeOutput lets it go on with nothing lost', async () => {
    const manager = makeManager()
    const count = 300000
    let next = 1
    let isPaused = false
    let late = 0
    const wrong = []
    manager.on('line', ({ processId, line }) => {
      /* The end of the command is read to its end. */
      if (isPaused && stdoutOf(manager, processId).paused) late++
      if (line !== String(next++)) wrong.push(line)
      /* From within a listener: the rest of what was read still comes. */
      if (next % 50000 === 0) manager.pauseOutput(processId)
    })
    const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: [`${count}`] })
    const exit = exitOf(manager, id)
    let pauses = 0
    while (manager.getProcessStatus(id).status === 'running') {
      await turn()
      if (!stdoutOf(manager, id).paused) continue
      pauses++
      isPaused = true
      const { bytes } = stdoutOf(manager, id)
      for (let n = 0; n < 20; n++) await turn()
      if (stdoutOf(manager, id).paused) expect(stdoutOf(manager, id).bytes).toBe(bytes)
      isPaused = false
      manager.resumeOutput(id)
    }
    await exit
    expect(next - 1).toBe(count)
    expect(wrong).toEqual([])
    expect(late).toBe(0)
    expect(pauses).toBeGreaterThan(0)
  })

  test('makes the command wait, and bounds what is held for it', async () => {
    const manager = makeManager()
    const id = await blocked(manager)
    const { bytes } = stdoutOf(manager, id)
    const before = process.memoryUsage().rss
    for (let n = 0; n < 50; n++) await turn()
    expect(stdoutOf(manager, id).bytes).toBe(bytes)
    expect(process.memoryUsage().rss - before).toBeLessThan(20 * MiB)
    expect(manager.resumeOutput(id)).toBe(true)
    await until(() => stdoutOf(manager, id).bytes > bytes + 4 * MiB, 'it goes on')
  })

  test('is told of by the status', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    expect(stdoutOf(manager, id).paused).toBe(false)
    expect(manager.pauseOutput(id)).toBe(true)
    expect(stdoutOf(manager, id).paused).toBe(true)
    expect(manager.pauseOutput(id)).toBe(true)
    expect(manager.resumeOutput(id)).toBe(true)
    expect(manager.resumeOutput(id)).toBe(true)
    expect(stdoutOf(manager, id).paused).toBe(false)
    expect(manager.getProcessStatus(id).output.stderr).not.toHaveProperty('paused')
  })

  test('before the first output holds all of it', async () => {
    const manager = makeManager()
    const seen = []
    manager.on('stdout', ({ data }) => seen.push(data))
    const id = manager.spawnProcess(shell('echo out; echo err >&2; exec sleep 100'))
    manager.pauseOutput(id)
    await wrote(manager, id, 'err', 'stderr')
    for (let n = 0; n < 20; n++) await turn()
    expect(seen).toEqual([])
    manager.resumeOutput(id)
    await wrote(manager, id, 'out')
  })

  test('never stops stderr', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess(shell(`echo x; ${fixture('flood')} 20000000 100 >&2; echo done >&2; exec sleep 100`))
    manager.pauseOutput(id)
    await until(() => manager.getProcessLogs(id, 1).stderr[0] === 'done', 'all of stderr is read')
    expect(manager.getProcessStatus(id).output.stderr.lines).toBe(200001)
    expect(stdoutOf(manager, id)).toMatchObject({ lines: 0, paused: true })
  })

  test('of one process does not concern another', async () => {
    const manager = makeManager()
    await blocked(manager)
    const { stdout } = await run(manager, { command: fixture('numbered-lines'), args: ['100000'] })
    expect(stdout.endsWith('\n100000\n')).toBe(true)
  })

  test('holds messages, in order', async () => {
    const manager = makeManager({ messages: 'json' })
    const seen = []
    manager.on('message', ({ processId, message }) => {
      seen.push(message)
      manager.pauseOutput(processId)
    })
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    for (let n = 0; n < 5; n++) {
      manager.sendMessage(id, [n])
      await until(() => seen.length === n + 1, 'the message is there')
      expect(stdoutOf(manager, id).paused).toBe(true)
      manager.sendMessage(id, [`${n} late`])
      for (let turns = 0; turns < 10; turns++) await turn()
      expect(seen).toHaveLength(n + 1)
      manager.resumeOutput(id)
      await until(() => seen.length === n + 2, 'the late one is there')
      manager.resumeOutput(id)
      seen.pop()
    }
    expect(seen).toEqual([[0], [1], [2], [3], [4]])
  })
})

describe('the end', () => {
  test('of a paused command that ends by itself comes, with all that it wrote', async () => {
    const manager = makeManager()
    const seen = []
    manager.on('stdout', ({ data }) => seen.push(data))
    const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['2000'] })
    manager.pauseOutput(id)
    const { code } = await exitOf(manager, id)
    expect(code).toBe(0)
    expect(seen.join('')).toBe(Array.from({ length: 2000 }, (_, n) => `${n + 1}\n`).join(''))
    expect(stdoutOf(manager, id)).toMatchObject({ paused: false, lines: 2000 })
  })

  test('of one that waits for its pipe comes by a stop', async () => {
    const manager = makeManager()
    const id = await blocked(manager)
    const exit = exitOf(manager, id)
    expect(await manager.stopProcess(id)).toBe(true)
    expect((await exit).signal).toBe('SIGTERM')
    expect(stdoutOf(manager, id).paused).toBe(false)
  })

  test('of the manager comes, paused or not', async () => {
    const manager = makeManager()
    await blocked(manager)
    await manager.cleanup()
    expect(manager.listProcesses()).toEqual([])
  })
})

test('a restart begins unpaused', async () => {
  const manager = makeManager()
  const id = await startReady(manager, { command: fixture('say-ready') })
  manager.pauseOutput(id)
  const ready = wrote(manager, id, 'ready')
  expect(await manager.restartProcess(id)).toBe(true)
  await ready
  expect(stdoutOf(manager, id).paused).toBe(false)
})

test('followers wait for what is held, too', async () => {
  const manager = makeManager()
  const id = manager.spawnProcess({ command: fixture('echo-stdin') })
  const follower = manager.followLogs(id)
  manager.pauseOutput(id)
  let got
  const next = follower.next().then(({ value }) => { got = value.line })
  manager.writeStdin(id, 'x\n')
  for (let n = 0; n < 20; n++) await turn()
  expect(got).toBeUndefined()
  manager.resumeOutput(id)
  await next
  expect(got).toBe('x')
})

test('nothing runs: false', async () => {
  const manager = makeManager()
  manager.on('error', () => {})
  const { id: ended } = await run(manager, { command: 'true' })
  const failed = manager.spawnProcess({ command: '/none' })
  await once(manager, 'error')
  const waiting = manager.spawnProcess({ command: 'false', autoRestart: true, restartDelay: 60000 })
  await once(manager, 'backoff')
  for (const id of ['nobody', '', undefined, 3, ended, failed, waiting]) {
    expect(manager.pauseOutput(id)).toBe(false)
    expect(manager.resumeOutput(id)).toBe(false)
  }
})

test('a command that closed its stdout cannot be paused, nor does it harm', async () => {
  const manager = makeManager()
  const id = manager.spawnProcess(shell('exec >&-; echo closed >&2; exec sleep 100'))
  await wrote(manager, id, 'closed', 'stderr')
  await until(() => !manager.pauseOutput(id), 'its end is seen')
  expect(manager.resumeOutput(id)).toBe(false)
  expect(manager.getProcessStatus(id).status).toBe('running')
})

test('pauses and resumes in one turn, many times', async () => {
  const manager = makeManager()
  const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['500000'] })
  const exit = exitOf(manager, id)
  let ended = false
  manager.once('exit', () => { ended = true })
  for (let n = 0; !ended; n++) {
    manager.pauseOutput(id)
    if (n % 3 === 0) await turn()
    manager.resumeOutput(id)
    await turn()
  }
  await exit
  expect(stdoutOf(manager, id).lines).toBe(500000)
})

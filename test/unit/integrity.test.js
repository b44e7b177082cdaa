'use strict'

// Nothing is lost, doubled, reordered, or given to the wrong process or start.

const asyncHooks = require('node:async_hooks')
const { makeManager, exitOf, once, record } = require('../support/manager')
const { fixture, until } = require('../support/children')

const MiB = 2 ** 20
const turn = () => new Promise(resolve => setImmediate(resolve))
const shell = (script, config = {}) => ({ command: 'sh', args: ['-c', script], ...config })
const padding = Array.from({ length: 61 }, (_, length) => 'x'.repeat(length))

/** The n-th line of test/fixtures/checked-lines.c. */
function lineOf (name, pid, stream, n) {
  return `${name} ${pid} ${stream === 'stdout' ? 'out' : 'err'} ${n} ${padding[n * 31 % 61]}`
}

/** Takes the lines of all starts of one process, and says which is the first that should be another. */
class Account {
  #name
  #starts = []
  wrong = []

  constructor (manager, name) {
    this.#name = name
    manager.on('spawn', ({ processId, pid }) => processId === name && this.#starts.push({ pid, stdout: 0, stderr: 0 }))
  }

  get present () {
    return this.#starts.length - 1
  }

  take (stream, line, start = this.present) {
    const account = this.#starts[start]
    const wanted = lineOf(this.#name, account.pid, stream, ++account[stream])
    if (line !== wanted && this.wrong.length < 3) this.wrong.push({ start, wanted, line })
  }

  /** How many lines came of each start. */
  get counts () {
    return this.#starts.map(({ stdout, stderr }) => [stdout, stderr])
  }
}

const names = ['a', 'b', 'c']
const count = 25000

/**
 * Three processes write `count` lines to each of their streams, fail and do it
 * again. watch(manager, accounts) has them counted; resolves when all have ended.
 */
async function account (watch, options = {}) {
  const manager = makeManager({ restartDelay: 0, maxRestarts: 1, ...options })
  manager.on('error', () => {})
  const accounts = Object.fromEntries(names.map(name => [name, new Account(manager, name)]))
  const finish = watch(manager, accounts)
  const ends = names.map(name => once(manager, 'limit', ({ processId }) => processId === name, 50000))
  for (const id of names) manager.spawnProcess({ id, command: fixture('checked-lines'), args: [id, String(count), '1'], autoRestart: true })
  await Promise.all(ends)
  await finish?.()
  for (const name of names) {
    expect(accounts[name].wrong).toEqual([])
    expect(accounts[name].counts).toEqual([[count, count], [count, count]])
    expect(manager.getProcessStatus(name).output).toMatchObject({ stdout: { lines: 2 * count }, stderr: { lines: 2 * count } })
  }
  return manager
}

/* Room for all of it. */
const roomy = { maxLogLines: 2 * count, maxLogBytes: 64 * MiB }

/** All records of a log, page by page, must be the lines that were written. */
function checkLog (manager, accounts) {
  for (const name of names) {
    let seq = 0
    for (;;) {
      const page = manager.getProcessLogs(name, { since: seq, lines: 10000 })
      if (page.length === 0) break
      for (const record of page) {
        if (record.seq !== ++seq) throw new Error(`Behind ${seq - 1} came ${record.seq}`)
        accounts[name].take(record.stream, record.line, record.start)
      }
    }
    expect(seq).toBe(4 * count)
  }
}

describe('numbered lines of three processes that are restarted', () => {
  test('nobody listens: they are in the logs', () => account((manager, accounts) => () => checkLog(manager, accounts), roomy))

  test("'line' events", () => account((manager, accounts) => {
    manager.on('line', ({ processId, stream, line }) => accounts[processId].take(stream, line))
  }))

  test("'stdout' and 'stderr' events", () => account((manager, accounts) => {
    for (const stream of ['stdout', 'stderr']) {
      const rest = new Map()
      manager.on(stream, ({ processId, data }) => {
        const lines = ((rest.get(processId) ?? '') + data).split('\n')
        rest.set(processId, lines.pop())
        for (const line of lines) accounts[processId].take(stream, line)
      })
    }
  }))

  test('followers', () => account((manager, accounts) => {
    const follow = async name => {
      let last = 0
      for await (const { seq, stream, start, line } of manager.followLogs(name, { lines: Infinity })) {
        if (seq !== ++last) throw new Error(`Behind ${last - 1} came ${seq}`)
        accounts[name].take(stream, line, start)
      }
    }
    const followers = new Promise(resolve => {
      const begun = []
      manager.on('spawn', ({ processId, restarts }) => {
        if (restarts === 0) begun.push(follow(processId))
        if (begun.length === names.length) resolve(begun)
      })
    })
    return async () => Promise.all(await followers)
  }, roomy))

  test('listeners that come and go: the logs have all of it', () => account((manager, accounts) => {
    let seen = 0
    const listener = () => { seen++ }
    const toggle = setInterval(() => {
      for (const event of ['line', 'stdout', 'stderr']) {
        if (manager.listenerCount(event) > 0) manager.off(event, listener)
        else manager.on(event, listener)
      }
    }, 1)
    return () => {
      clearInterval(toggle)
      manager.removeAllListeners('line')
      checkLog(manager, accounts)
      expect(seen).toBeGreaterThan(0)
    }
  }, roomy))
})

describe('100 MB without a newline', () => {
  test.each([[[]], [['line']], [['line', 'stdout']]])('with listeners to %j are bounded', async events => {
    const manager = makeManager()
    let lines = 0
    let bytes = 0
    let longest = 0
    if (events.includes('line')) {
      manager.on('line', ({ line }) => {
        lines++
        longest = Math.max(longest, line.length)
      })
    }
    if (events.includes('stdout')) manager.on('stdout', ({ data }) => { bytes += data.length })
    let most = 0
    const before = process.memoryUsage().rss
    const watch = setInterval(() => { most = Math.max(most, process.memoryUsage().rss - before) }, 5)
    await exitOf(manager, manager.spawnProcess({ id: 'x', command: fixture('one-line'), args: ['100000000'], encoding: 'buffer' }))
    clearInterval(watch)
    /* Chunks that were handed out are freed when JavaScript likes to. */
    if (!events.includes('stdout')) expect(most).toBeLessThan(40 * MiB)
    expect(manager.getProcessStatus('x').output.stdout).toMatchObject({ lines: 1, bytes: 100000000, cutBytes: 100000000 - 4 * MiB })
    if (events.includes('line')) expect([lines, longest < 4 * MiB + 100]).toEqual([1, true])
    if (events.includes('stdout')) expect(bytes).toBe(100000000)
  })
})

describe('a command that dies in the middle of a character', () => {
  test('gives U+FFFD before its exit, and nothing of it to the next start', async () => {
    const manager = makeManager({ restartDelay: 0, maxRestarts: 1 })
    const seen = record(manager, ['stdout', 'line', 'exit', 'restart', 'error'])
    const id = manager.spawnProcess(shell('printf "\\254a\\342\\202"; kill -9 $$', { autoRestart: true }))
    await once(manager, 'limit')
    const told = seen.filter(([name]) => name === 'stdout' || name === 'exit')
    const texts = told.map(([name, { data }]) => (name === 'exit' ? '|' : data)).join('')
    expect(texts).toBe('\ufffda\ufffd|\ufffda\ufffd|')
    expect(seen.filter(([name]) => name === 'line').map(([, { line }]) => line)).toEqual(['\ufffda\ufffd', '\ufffda\ufffd'])
    expect(manager.getProcessLogs(id, {}).map(({ start, line }) => [start, line])).toEqual([[0, '\ufffda\ufffd'], [1, '\ufffda\ufffd']])
  })
})

describe('what a descendant writes after the exit', () => {
  test('is logged for its start, and given to no listener and to no other start', async () => {
    const manager = makeManager({ messages: 'json' })
    const id = manager.spawnProcess({ command: fixture('spawn-grandchild'), args: ['setsid-late', '0'], containment: 'group' })
    const grandchildren = []
    const said = () => Number(/\d+/.exec(manager.getProcessLogs(id, { search: 'grandchild' }).at(-1).line)[0])
    try {
      await exitOf(manager, id)
      grandchildren.push(said())
      const late = record(manager, ['stdout', 'line', 'message', 'stray', 'error'])
      process.kill(grandchildren[0], 'SIGUSR1')
      await until(() => manager.getProcessLogs(id, { search: 'late' }).length === 1, 'the late line is in the log')
      expect(late).toEqual([])
      expect(manager.getProcessLogs(id, { search: 'late' })).toMatchObject([{ seq: 2, start: 0, line: 'late' }])
      const exit = exitOf(manager, id)
      await manager.restartProcess(id)
      await exit
      grandchildren.push(said())
      process.kill(grandchildren[1], 'SIGUSR1')
      await until(() => manager.getProcessLogs(id, { search: 'late' }).length === 2, 'so is that of the next start')
      expect(manager.getProcessLogs(id, { search: 'late' }).map(({ start }) => start)).toEqual([0, 1])
    } finally {
      for (const pid of grandchildren) process.kill(pid, 'SIGKILL')
    }
  })
})

describe('while nobody listens', () => {
  /** How often the manager of a run called into JavaScript. */
  async function callsOf (config, prepare = () => {}) {
    const kinds = new Map()
    let calls = 0
    const hook = asyncHooks.createHook({
      init: (id, kind) => kinds.set(id, kind),
      before: id => { if (/manager/i.test(kinds.get(id) ?? '')) calls++ }
    }).enable()
    try {
      const manager = makeManager()
      prepare(manager)
      await exitOf(manager, manager.spawnProcess(config))
    } finally {
      hook.disable()
    }
    return calls
  }

  test('no JavaScript is entered for output', async () => {
    const flood = { command: fixture('flood'), args: ['20000000', '80'] }
    const silent = await callsOf({ command: 'true' })
    expect(silent).toBeGreaterThan(0)
    expect(await callsOf(flood)).toBe(silent)
    expect(await callsOf({ ...flood, messages: 'json' })).toBe(silent)
    expect(await callsOf({ ...flood, messages: 'raw', logMessages: false })).toBe(silent)
    expect(await callsOf(flood, manager => manager.on('stderr', () => {}))).toBe(silent)
    expect(await callsOf(flood, manager => manager.on('stdout', () => {}))).toBeGreaterThan(silent + 100)
  })

  test('nor after the last listener has gone', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('flood'), args: ['2000000000', '80'] })
    await once(manager, 'stdout')
    let emitted = 0
    const { emit } = manager
    manager.emit = (...args) => {
      emitted++
      return emit.apply(manager, args)
    }
    const { bytes } = manager.getProcessStatus(id).output.stdout
    await until(() => manager.getProcessStatus(id).output.stdout.bytes > bytes + 20 * MiB, 'more is read')
    expect(emitted).toBe(0)
  })
})

describe('ten commands that flood', () => {
  test('are all read, and no turn of the loop reads more than a bound', async () => {
    const manager = makeManager()
    const ids = Array.from({ length: 10 }, () => manager.spawnProcess({ command: fixture('flood'), args: ['2000000000', '80'] }))
    const bytes = () => ids.map(id => manager.getProcessStatus(id).output.stdout.bytes)
    let before = bytes()
    let most = 0
    const deadline = Date.now() + 30000
    while (before.some(read => read < 5 * MiB) && Date.now() < deadline) {
      await turn()
      const now = bytes()
      most = Math.max(most, ...now.map((read, n) => read - before[n]))
      before = now
    }
    expect(Math.min(...before)).toBeGreaterThanOrEqual(5 * MiB)
    expect(most).toBeLessThan(1.5 * MiB)
  })

  test('their stderr is drained while stdout is paused', async () => {
    const manager = makeManager()
    const ids = Array.from({ length: 10 }, () => manager.spawnProcess(shell(`${fixture('flood')} 3000000 80 >&2; echo end >&2; ${fixture('flood')} 3000000 80`)))
    for (const id of ids) manager.pauseOutput(id)
    for (const id of ids) await until(() => manager.getProcessLogs(id, 1).stderr[0] === 'end', 'all of stderr is read')
    for (const id of ids) expect(manager.getProcessStatus(id).output.stdout).toMatchObject({ bytes: 0, paused: true })
    await Promise.all(ids.map(id => {
      manager.resumeOutput(id)
      return exitOf(manager, id)
    }))
    for (const id of ids) expect(manager.getProcessStatus(id).output.stdout.bytes).toBe(3000000 - 37500)
  })
})

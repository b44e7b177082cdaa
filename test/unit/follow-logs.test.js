'use strict'

// followLogs: the last lines of a log, then each as it comes.

const { getEventListeners } = require('node:events')
const { makeManager, exitOf, once, run, startReady, thrownBy, record } = require('../support/manager')
const { fixture, until } = require('../support/children')
const { runHost } = require('../support/host')

const shell = (script, config = {}) => ({ command: 'sh', args: ['-c', script], ...config })
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** Everything that a follower gives until it ends. */
async function all (follower) {
  const records = []
  for await (const record of follower) records.push(record)
  return records
}

async function lines (follower) {
  return (await all(follower)).map(({ line }) => line)
}

/** Takes the next few. */
async function take (follower, count) {
  const taken = []
  while (taken.length < count) {
    const { done, value } = await follower.next()
    if (done) throw new Error(`It ended after ${taken.length} of ${count} records`)
    taken.push(value.line)
  }
  return taken
}

/** A command that echoes; say() has it write lines and waits until they are in the log. */
function makeEcho (config = {}) {
  const manager = makeManager()
  const id = manager.spawnProcess({ command: fixture('echo-stdin'), ...config })
  const say = (...texts) => {
    const before = manager.getProcessStatus(id).output.stdout.lines
    manager.writeStdin(id, texts.map(text => `${text}\n`).join(''))
    return until(() => manager.getProcessStatus(id).output.stdout.lines === before + texts.length, 'the lines are there')
  }
  return { manager, id, say }
}

/** Waits until what was asked for waits for lines. */
const settle = () => new Promise(resolve => setImmediate(resolve))

describe('followLogs', () => {
  test('begins with the last ten lines, and gives each that comes', async () => {
    const { manager, id, say } = makeEcho()
    await say(...range(1, 15))
    const follower = manager.followLogs(id)
    expect(await take(follower, 10)).toEqual(range(6, 15).map(String))
    const next = follower.next()
    await say('new')
    const { done, value } = await next
    expect(done).toBe(false)
    expect(value).toEqual({ seq: 16, time: expect.any(Number), stream: 'stdout', start: 0, line: 'new' })
    await say('a', 'b')
    expect(await take(follower, 2)).toEqual(['a', 'b'])
  })

  test.each([
    ['lines: 2', { lines: 2 }, [4, 5, 6, 7]], ['lines: 0', { lines: 0 }, [6, 7]], ['lines: Infinity', { lines: Infinity }, range(1, 7)],
    ['since', { since: 3 }, [4, 5, 6, 7]], ['since with fewer lines', { since: 1, lines: 2 }, range(2, 7)],
    ['since a number to come', { since: 6 }, [7]], ['search', { search: '7' }, [7]], ['start', { start: 1 }, []],
    ['stream', { stream: 'stderr' }, []], ['stream: stdout', { stream: 'stdout' }, range(1, 7)]
  ])('%s', async (_, options, wanted) => {
    const { manager, id, say } = makeEcho()
    await say(...range(1, 5))
    const found = lines(manager.followLogs(id, options))
    await say(6, 7)
    manager.closeStdin(id)
    expect(await found).toEqual(wanted.map(String))
  })

  test('gives both streams, in the order in which they were read', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess(shell('while read word; do echo $word; echo $word >&2; done'))
    const found = all(manager.followLogs(id, { lines: Infinity }))
    manager.writeStdin(id, 'a\nb\nc\n')
    manager.closeStdin(id)
    const records = await found
    expect(records.map(({ seq }) => seq)).toEqual(range(1, 6))
    for (const stream of ['stdout', 'stderr']) {
      expect(records.filter(record => record.stream === stream).map(({ line }) => line)).toEqual(['a', 'b', 'c'])
    }
    expect(records).toEqual(manager.getProcessLogs(id, {}))
  })

  test('is an async iterator that is its own iterable', () => {
    const { manager, id } = makeEcho()
    const follower = manager.followLogs(id)
    expect(follower[Symbol.asyncIterator]()).toBe(follower)
    expect(typeof follower.next).toBe('function')
  })

  test('of an unknown id throws', () => {
    for (const id of ['nobody', '', undefined, 3]) {
      expect(thrownBy(() => makeManager().followLogs(id))).toMatchObject({ code: 'ERR_UNKNOWN_PROCESS' })
    }
  })

  test.each([[null], [3], ['x'], [[]], [true]])('%p as options is refused', options => {
    const { manager, id } = makeEcho()
    expect(thrownBy(() => manager.followLogs(id, options))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE', message: expect.stringMatching(/^options must be an object/)
    })
  })

  test.each([[null], ['SIGTERM'], [{}], [{ aborted: false }], [new AbortController()]])('%p as signal is refused', signal => {
    const { manager, id } = makeEcho()
    expect(thrownBy(() => manager.followLogs(id, { signal }))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE', message: expect.stringMatching(/^options\.signal must be an AbortSignal/)
    })
  })
})

describe('it ends', () => {
  test('when the process has ended for good, behind the last line', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess(shell('echo one; echo two >&2; printf rest'))
    const found = lines(manager.followLogs(id))
    expect((await found).sort()).toEqual(['one', 'rest', 'two'])
    expect(manager.getProcessStatus(id).status).toBe('stopped')
  })

  test('at once, with the tail, for one that has ended', async () => {
    const manager = makeManager()
    const { id } = await run(manager, shell('seq 1 20'))
    expect(await lines(manager.followLogs(id))).toEqual(range(11, 20).map(String))
    expect(await lines(manager.followLogs(id, { lines: 0 }))).toEqual([])
    expect(await lines(manager.followLogs(id, { search: 'none' }))).toEqual([])
  })

  test('for one that could not be started', async () => {
    const manager = makeManager()
    manager.on('error', () => {})
    expect(await lines(manager.followLogs(manager.spawnProcess({ command: '/none' })))).toEqual([])
  })

  test('when it is stopped', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    const found = lines(manager.followLogs(id))
    await settle()
    await manager.stopProcess(id)
    expect(await found).toEqual(['ready'])
  })

  test('not over restarts, automatic or asked for', async () => {
    const manager = makeManager({ restartDelay: 5, maxRestarts: 2 })
    record(manager, ['error'])
    const id = manager.spawnProcess(shell('echo $$; exit 1', { autoRestart: true }))
    const pids = []
    manager.on('spawn', ({ pid }) => pids.push(`${pid}`))
    const found = all(manager.followLogs(id))
    await once(manager, 'limit')
    const records = await found
    expect(records.map(({ line }) => line)).toEqual(pids)
    expect(records.map(({ start }) => start)).toEqual([0, 1, 2])
    const again = await startReady(manager, { command: fixture('say-ready') })
    const starts = lines(manager.followLogs(again))
    await manager.restartProcess(again)
    await until(() => manager.getProcessLogs(again).stdout.length === 2, 'it is ready again')
    await manager.stopProcess(again)
    expect(await starts).toEqual(['ready', 'ready'])
  })

  test('when it waits for a restart that a stop cancels', async () => {
    const manager = makeManager({ restartDelay: 60000 })
    const id = manager.spawnProcess(shell('echo x; exit 1', { autoRestart: true }))
    const found = lines(manager.followLogs(id))
    await once(manager, 'backoff')
    await manager.stopProcess(id)
    expect(await found).toEqual(['x'])
  })

  test('when the process is removed, or its record is dropped for newer ones', async () => {
    const manager = makeManager({ maxEnded: 1 })
    const { id } = await run(manager, shell('seq 1 5'))
    const removed = manager.followLogs(id)
    expect((await removed.next()).value.line).toBe('1')
    expect(manager.removeProcess(id)).toBe(true)
    expect(await lines(removed)).toEqual(['2', '3', '4', '5'])
    const { id: old } = await run(manager, shell('echo old'))
    const dropped = manager.followLogs(old)
    await run(manager, shell('echo new'))
    expect(await lines(dropped)).toEqual([])
  })

  test('when another process is given its id, whose lines are not mixed in', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { id: 'same', ...shell('seq 1 3') })
    const [early, late] = [manager.followLogs(id), manager.followLogs(id)]
    expect(await take(early, 3)).toEqual(['1', '2', '3'])
    const { id: other } = await run(manager, { id: 'same', ...shell('seq 11 16') })
    expect(other).toBe(id)
    expect(await lines(early)).toEqual([])
    expect(await lines(late)).toEqual([])
    expect(await lines(manager.followLogs(id))).toEqual(range(11, 16).map(String))
  })

  test('when cleanup ends the manager, also while it waits', async () => {
    const { manager, id, say } = makeEcho()
    await say('x')
    const waiting = lines(manager.followLogs(id))
    const idle = manager.followLogs(id)
    await settle()
    await manager.cleanup()
    expect(await waiting).toEqual(['x'])
    expect(await lines(idle)).toEqual([])
    expect(thrownBy(() => manager.followLogs(id))).toMatchObject({ code: 'ERR_UNKNOWN_PROCESS' })
  })

  test('by break, return or an exception in the loop, and stays ended', async () => {
    const { manager, id, say } = makeEcho()
    await say('a', 'b', 'c')
    const broken = manager.followLogs(id)
    for await (const { line } of broken) if (line === 'b') break
    expect(await broken.next()).toEqual({ done: true, value: undefined })
    const thrown = manager.followLogs(id)
    await expect((async () => {
      for await (const { line } of thrown) throw new Error(line)
    })()).rejects.toThrow('a')
    expect(await thrown.next()).toEqual({ done: true, value: undefined })
    const returned = manager.followLogs(id)
    expect(await returned.return('value')).toEqual({ done: true, value: 'value' })
    expect(await lines(returned)).toEqual([])
    const told = manager.followLogs(id)
    await expect(told.throw(new Error('mine'))).rejects.toThrow('mine')
    expect(await lines(told)).toEqual([])
  })

  test('by return while it waits', async () => {
    const { manager, id } = makeEcho()
    const follower = manager.followLogs(id)
    const next = follower.next()
    await settle()
    expect(await follower.return()).toEqual({ done: true, value: undefined })
    expect(await next).toEqual({ done: true, value: undefined })
  })
})

describe('an AbortSignal', () => {
  test('ends one that waits, with its reason, and leaves no listener', async () => {
    const { manager, id } = makeEcho()
    const controller = new AbortController()
    const follower = manager.followLogs(id, { signal: controller.signal })
    const next = follower.next()
    await settle()
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(next).rejects.toBe(reason)
    expect(await follower.next()).toEqual({ done: true, value: undefined })
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  test('that was aborted before', async () => {
    const { manager, id, say } = makeEcho()
    await say('x')
    await expect(lines(manager.followLogs(id, { signal: AbortSignal.abort() }))).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('ends it within the loop at the next line, though more are there', async () => {
    const { manager, id, say } = makeEcho()
    await say('a', 'b', 'c')
    const controller = new AbortController()
    const seen = []
    await expect((async () => {
      for await (const { line } of manager.followLogs(id, { signal: controller.signal })) {
        seen.push(line)
        controller.abort()
      }
    })()).rejects.toMatchObject({ name: 'AbortError' })
    expect(seen).toEqual(['a'])
  })

  test('gathers no listeners over many waits', async () => {
    const { manager, id, say } = makeEcho()
    const controller = new AbortController()
    const follower = manager.followLogs(id, { signal: controller.signal })
    for (let n = 0; n < 20; n++) {
      const next = follower.next()
      await settle()
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
      await say(n)
      await next
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    }
    await follower.return()
  })
})

describe('overlapping calls', () => {
  test('are answered in order', async () => {
    const { manager, id, say } = makeEcho()
    const follower = manager.followLogs(id)
    const calls = range(1, 5).map(() => follower.next())
    await say('a', 'b')
    await say('c', 'd', 'e')
    expect((await Promise.all(calls)).map(({ value }) => value.line)).toEqual(['a', 'b', 'c', 'd', 'e'])
    const rest = [follower.next(), follower.next()]
    await follower.return()
    expect(await Promise.all(rest)).toEqual(new Array(2).fill({ done: true, value: undefined }))
  })

  test('of one that fails, only the first does', async () => {
    const { manager, id } = makeEcho()
    const controller = new AbortController()
    const follower = manager.followLogs(id, { signal: controller.signal })
    const [first, second] = [follower.next(), follower.next()]
    controller.abort()
    await expect(first).rejects.toMatchObject({ name: 'AbortError' })
    expect(await second).toEqual({ done: true, value: undefined })
  })
})

describe('under a flood', () => {
  test('no line is doubled or missed while the ring holds them', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['200000'], maxLogLines: 200000, maxLogBytes: 64 * 2 ** 20 })
    let count = 0
    for await (const { seq, line } of manager.followLogs(id)) {
      count++
      if (seq !== count || line !== String(count)) throw new Error(`Line ${count} is ${line}, seq ${seq}`)
    }
    expect(count).toBe(200000)
  })

  test('what the ring lost is a gap, never a wrong or repeated line', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['300000'], maxLogLines: 500 })
    let last = 0
    let gaps = 0
    for await (const { seq, line } of manager.followLogs(id)) {
      if (seq <= last || line !== String(seq)) throw new Error(`Behind ${last} came ${line}, seq ${seq}`)
      if (seq > last + 1) gaps++
      last = seq
      await settle()
    }
    expect(last).toBe(300000)
    expect(gaps).toBeGreaterThan(0)
  })

  test('several at once, fast and slow, each get what they asked for', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['20000'], maxLogLines: 20000 })
    const every = async (options, work) => {
      const seqs = []
      for await (const { seq } of manager.followLogs(id, options)) {
        seqs.push(seq)
        if (work && seqs.length % 100 === 0) await settle()
      }
      return seqs
    }
    const found = await Promise.all([
      every({ lines: Infinity }), every({ lines: Infinity }, true), every({ search: '777', lines: Infinity }), every({ since: 19990 }), every({ stream: 'stderr' })
    ])
    const wanted = range(1, 20000)
    expect(found).toEqual([wanted, wanted, wanted.filter(n => `${n}`.includes('777')), range(19991, 20000), []])
  })

  test('of two processes each has its own', async () => {
    const manager = makeManager()
    const found = await Promise.all(['a', 'b'].map(async name => {
      const id = manager.spawnProcess({ id: name, command: fixture('checked-lines'), args: [name, '3000'], maxLogLines: 10000 })
      const records = await all(manager.followLogs(id, { lines: Infinity }))
      expect(records.map(({ seq }) => seq)).toEqual(range(1, 6000))
      return records.filter(({ line }) => !line.startsWith(`${name} `))
    }))
    expect(found).toEqual([[], []])
  })
})

test('nothing but the process keeps a host that follows', async () => {
  const { code, printed, stderr } = await runHost(async ({ ProcessManager, fixture, print }) => {
    const manager = new ProcessManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    manager.writeStdin(id, 'x\n')
    const follower = manager.followLogs(id)
    print((await follower.next()).value.line)
    follower.next().then(({ done }) => print(done))
    setTimeout(() => manager.closeStdin(id), 20)
  })
  expect([code, stderr, printed]).toEqual([0, '', ['x', true]])
})

test('lines wake who waits though nobody listens to output', async () => {
  const { manager, id } = makeEcho()
  const exit = exitOf(manager, id)
  const follower = manager.followLogs(id, { search: 'wanted' })
  const next = follower.next()
  for (let n = 0; n < 200; n++) {
    manager.writeStdin(id, `${n}\n`)
    await settle()
  }
  manager.writeStdin(id, 'wanted\n')
  expect((await next).value.line).toBe('wanted')
  manager.closeStdin(id)
  await exit
  expect((await follower.next()).done).toBe(true)
})

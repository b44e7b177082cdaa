'use strict'

// getProcessLogs with an object: records of both streams.

const { makeManager, exitOf, run, once, startReady, thrownBy, record } = require('../support/manager')
const { fixture, until } = require('../support/children')

const shell = (script, config = {}) => ({ command: 'sh', args: ['-c', script], ...config })
const linesOf = records => records.map(({ line }) => line)
const seqsOf = records => records.map(({ seq }) => seq)
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** Runs a script to its end. */
async function logged (script, config) {
  const manager = makeManager()
  const id = manager.spawnProcess(shell(script, config))
  await exitOf(manager, id)
  return { manager, id, query: options => manager.getProcessLogs(id, options) }
}

/* Waits for each line before it writes the next, so that the order is known. */
async function alternating (count) {
  const manager = makeManager()
  const id = manager.spawnProcess(shell('while read stream text; do if [ $stream = err ]; then echo "$text" >&2; else echo "$text"; fi; done'))
  for (let n = 1; n <= count; n++) {
    manager.writeStdin(id, `${n % 3 === 0 ? 'err' : 'out'} line ${n}\n`)
    await until(() => manager.getProcessLogs(id, { lines: 1 }).at(0)?.line === `line ${n}`, 'the line is there')
  }
  return { manager, id, query: options => manager.getProcessLogs(id, options) }
}

describe('a record', () => {
  test('has exactly these fields', async () => {
    const before = Date.now()
    const { query } = await logged('echo out; printf "€ \\303\\251" >&2')
    const records = query({})
    expect(records).toStrictEqual(expect.arrayContaining([
      { seq: expect.any(Number), time: expect.any(Number), stream: 'stdout', start: 0, line: 'out' },
      { seq: expect.any(Number), time: expect.any(Number), stream: 'stderr', start: 0, line: '€ é' }
    ]))
    expect(records).toHaveLength(2)
    for (const { time } of records) {
      expect(time).toBeGreaterThanOrEqual(before)
      expect(time).toBeLessThanOrEqual(Date.now() + 1)
    }
    expect(records).toBeInstanceOf(Array)
  })

  test('has the time at which its line was read', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const bounds = [Date.now()]
    for (let n = 1; n <= 3; n++) {
      await until(() => Date.now() > bounds.at(-1), 'a millisecond passes')
      manager.writeStdin(id, `${n}\n`)
      await until(() => manager.getProcessLogs(id, {}).length === n, 'the line is there')
      bounds.push(Date.now() + 1)
    }
    for (const [n, { time }] of manager.getProcessLogs(id, {}).entries()) {
      expect(time).toBeGreaterThanOrEqual(bounds[n])
      expect(time).toBeLessThanOrEqual(bounds[n + 1])
    }
  })

  test('is numbered from 1, both streams together', async () => {
    const { query } = await logged('seq 1 50; seq 51 100 >&2')
    expect(seqsOf(query({}))).toEqual(range(1, 100))
  })

  test('of a line that was cut says so', async () => {
    const { query } = await logged(`${fixture('one-line')} 5000; echo`, { maxLogBytes: 2048 })
    expect(query({})[0].line).toMatch(/^x+ \[… \d+ bytes cut\]$/)
  })
})

describe('the order', () => {
  test('is that in which lines were read, of both streams', async () => {
    const { query } = await alternating(30)
    expect(linesOf(query({}))).toEqual(range(1, 30).map(n => `line ${n}`))
    expect(query({}).map(({ stream }) => stream)).toEqual(range(1, 30).map(n => (n % 3 === 0 ? 'stderr' : 'stdout')))
    const times = query({}).map(({ time }) => time)
    expect([...times].sort((a, b) => a - b)).toEqual(times)
  })
})

describe('lines', () => {
  test('is 100 by default, the last of both streams together', async () => {
    const { query } = await logged('seq 1 150; seq 151 300 >&2')
    expect(seqsOf(query({}))).toEqual(range(201, 300))
    expect(seqsOf(query({ lines: undefined }))).toEqual(range(201, 300))
    expect(seqsOf(query({ lines: Infinity }))).toEqual(range(1, 300))
    expect(seqsOf(query({ lines: 3 }))).toEqual([298, 299, 300])
    expect(query({ lines: 0 })).toEqual([])
    expect(seqsOf(query({ lines: 5000 }))).toEqual(range(1, 300))
  })

  test('counts what matches', async () => {
    const { query } = await alternating(30)
    expect(linesOf(query({ lines: 2, stream: 'stderr' }))).toEqual(['line 27', 'line 30'])
    expect(linesOf(query({ lines: 2, search: '1' }))).toEqual(['line 19', 'line 21'])
  })
})

describe('since', () => {
  test('gives what is behind that number, all of it by default', async () => {
    const { query } = await logged('seq 1 300')
    expect(seqsOf(query({ since: 0 }))).toEqual(range(1, 300))
    expect(seqsOf(query({ since: 120 }))).toEqual(range(121, 300))
    expect(seqsOf(query({ since: 299 }))).toEqual([300])
    expect(query({ since: 300 })).toEqual([])
    expect(query({ since: Number.MAX_SAFE_INTEGER })).toEqual([])
  })

  test('with lines gives the first of them', async () => {
    const { query } = await logged('seq 1 300')
    expect(seqsOf(query({ since: 120, lines: 3 }))).toEqual([121, 122, 123])
    expect(seqsOf(query({ since: 120, lines: 2, search: '9' }))).toEqual([129, 139])
  })

  test('page by page is all', async () => {
    const { query } = await alternating(30)
    const seqs = []
    for (let page = query({ since: 0, lines: 7 }); page.length > 0; page = query({ since: seqs.at(-1), lines: 7 })) seqs.push(...seqsOf(page))
    expect(seqs).toEqual(range(1, 30))
  })
})

describe('stream', () => {
  test('gives one of them, with the numbers that the other left out', async () => {
    const { query } = await alternating(9)
    expect(seqsOf(query({ stream: 'stderr' }))).toEqual([3, 6, 9])
    expect(seqsOf(query({ stream: 'stdout' }))).toEqual([1, 2, 4, 5, 7, 8])
    expect(seqsOf(query({ stream: 'stderr', since: 3 }))).toEqual([6, 9])
    expect(query({ stream: undefined })).toHaveLength(9)
  })
})

describe('search', () => {
  test.each([
    ['b', ['abc']], ['abc', ['abc']], ['abcd', []], ['', ['abc', '€uro x', '日本語', '😀', 'ABC', '']], ['€', ['€uro x']], ['本', ['日本語']],
    ['😀', ['😀']], ['o x', ['€uro x']], ['ABC', ['ABC']], ['.*', []], ['\n', []], ['語\n', []], ['日本語', ['日本語']], ['\0', []]
  ])('%j', async (search, wanted) => {
    const { query } = await logged('printf "abc\\n€uro x\\n日本語\\n😀\\nABC\\n\\n"')
    expect(linesOf(query({ search }))).toEqual(wanted)
  })

  test('finds what lies across the end of the ring', async () => {
    const manager = makeManager()
    const { id } = await run(manager, shell('for i in $(seq 1 400); do echo "begin€$i€end"; done', { maxLogBytes: 1100 }))
    const kept = manager.getProcessLogs(id, { lines: Infinity })
    expect(kept.length).toBeGreaterThan(40)
    for (const { line } of kept) {
      for (const text of [line, line.slice(2, -2)]) {
        expect(linesOf(manager.getProcessLogs(id, { lines: Infinity, search: text }))).toEqual([line])
      }
    }
    expect(manager.getProcessLogs(id, { lines: Infinity, search: 'endbegin' })).toEqual([])
  })

  test('of all kinds together', async () => {
    const { query } = await logged('seq 1 200; seq 201 400 >&2; exit 0')
    expect(linesOf(query({ search: '7', stream: 'stderr', since: 250, lines: 3 }))).toEqual(
      query({ lines: Infinity }).filter(({ stream, seq, line }) => stream === 'stderr' && seq > 250 && line.includes('7')).slice(0, 3).map(({ line }) => line))
  })
})

describe('start', () => {
  test('tells starts apart, over restarts of either kind', async () => {
    const manager = makeManager({ restartDelay: 0, maxRestarts: 2 })
    record(manager, ['error'])
    const id = manager.spawnProcess(shell('echo $$; echo $$ >&2; printf rest; exit 1', { autoRestart: true }))
    const pids = []
    manager.on('spawn', ({ pid }) => pids.push(`${pid}`))
    await once(manager, 'limit')
    const exit = exitOf(manager, id)
    await manager.restartProcess(id)
    await exit
    expect(pids.length).toBeGreaterThanOrEqual(4)
    for (const [start, pid] of pids.slice(0, 4).entries()) {
      const records = manager.getProcessLogs(id, { start })
      expect(linesOf(records).sort()).toEqual([pid, pid, 'rest'].sort())
      for (const record of records) expect(record.start).toBe(start)
    }
    expect(manager.getProcessLogs(id, { start: 99 })).toEqual([])
    const all = manager.getProcessLogs(id, { lines: Infinity })
    expect(seqsOf(all)).toEqual(range(1, all.length))
  })

  test('a last line without its end is not completed by the next start', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: 'printf', args: ['half'] })
    const exit = exitOf(manager, id)
    await manager.restartProcess(id)
    await exit
    expect(manager.getProcessLogs(id, {}).map(({ start, line }) => [start, line])).toEqual([[0, 'half'], [1, 'half']])
  })
})

describe('what the log has lost', () => {
  test('is a gap in the numbers of one stream, and the counters tell of it', async () => {
    const { manager, id, query } = await logged('echo first >&2; seq 1 500', { maxLogLines: 100 })
    const stdout = query({ stream: 'stdout', lines: Infinity })
    expect(stdout).toHaveLength(100)
    expect(linesOf(query({ stream: 'stderr' }))).toEqual(['first'])
    const [{ seq }] = stdout
    expect(seqsOf(stdout)).toEqual(range(seq, seq + 99))
    expect(stdout.at(-1).line).toBe('500')
    const { output } = manager.getProcessStatus(id)
    expect(output.stdout).toMatchObject({ lines: 500, droppedLines: 400, bytes: [...range(1, 500)].join('').length, cutBytes: 0 })
    expect(output.stderr).toEqual({ lines: 1, bytes: 5, droppedLines: 0, cutBytes: 0 })
    expect(linesOf(query({ since: 0, lines: 2, stream: 'stdout' }))).toEqual(['401', '402'])
  })

  test('of lines that were cut the counters tell how much', async () => {
    const { manager, id } = await logged(`${fixture('one-line')} 5000; echo`, { maxLogBytes: 2048 })
    const { bytes, cutBytes, lines } = manager.getProcessStatus(id).output.stdout
    expect([lines, bytes]).toEqual([1, 5000])
    const [, cut] = /(\d+) bytes cut/.exec(manager.getProcessLogs(id, {})[0].line)
    expect(cutBytes).toBe(Number(cut))
  })
})

describe('whose log', () => {
  test('of an unknown id there is none', () => {
    const manager = makeManager()
    for (const id of ['nobody', '', 3, undefined]) {
      expect(manager.getProcessLogs(id, {})).toEqual([])
      expect(manager.getProcessLogs(id, { since: 3, search: 'x' })).toEqual([])
    }
  })

  test('of an ended process stays until it is removed', async () => {
    const { manager, id, query } = await logged('echo x')
    expect(query({})).toHaveLength(1)
    expect(manager.removeProcess(id)).toBe(true)
    expect(query({})).toEqual([])
  })

  test('of an id that is used again begins anew', async () => {
    const manager = makeManager()
    for (const text of ['one', 'two']) {
      await run(manager, { id: 'same', command: 'echo', args: [text] })
      expect(manager.getProcessLogs('same', {})).toMatchObject([{ seq: 1, start: 0, line: text }])
      manager.removeProcess('same')
    }
  })

  test('is there while the process runs, and not after cleanup', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    expect(linesOf(manager.getProcessLogs(id, {}))).toEqual(['ready'])
    await manager.cleanup()
    expect(manager.getProcessLogs(id, {})).toEqual([])
  })

  test('records are the caller\'s own', async () => {
    const { query } = await logged('echo x')
    query({})[0].line = 'y'
    expect(linesOf(query({}))).toEqual(['x'])
  })
})

describe('what is asked', () => {
  const bad = [
    ['lines', -1, RangeError], ['lines', 1.5, RangeError], ['lines', NaN, RangeError], ['lines', '3', TypeError], ['lines', null, TypeError],
    ['since', -1, RangeError], ['since', 0.5, RangeError], ['since', Infinity, RangeError], ['since', '3', TypeError], ['since', null, TypeError],
    ['since', 3n, TypeError], ['start', -1, RangeError], ['start', NaN, RangeError], ['start', '0', TypeError], ['start', true, TypeError],
    ['stream', 'stdin', TypeError], ['stream', 1, TypeError], ['stream', null, TypeError], ['stream', ['stdout'], TypeError],
    ['search', 3, TypeError], ['search', null, TypeError], ['search', /x/, TypeError], ['search', Buffer.from('x'), TypeError]
  ]

  test.each(bad)('%s: %p is refused by name and value', (name, value, Class) => {
    const manager = makeManager()
    const shown = typeof value === 'object' && value !== null ? 'an ' : typeof value === 'bigint' ? 'bigint' : String(value)
    for (const ask of [options => manager.getProcessLogs('x', options), options => manager.followLogs('x', options)]) {
      const error = thrownBy(() => ask({ [name]: value }))
      expect(error).toBeInstanceOf(Class)
      expect(error.code).toMatch(/^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE|INVALID_ARG_VALUE)$/)
      expect(error.message).toMatch(new RegExp(`^options\\.${name} must`))
      expect(error.message).toContain(shown)
    }
  })

  test('is read as own properties', async () => {
    const { query } = await logged('seq 1 3')
    expect(query(Object.create({ lines: 1, search: 'x' }))).toHaveLength(3)
    expect(query(Object.assign(Object.create(null), { lines: 1 }))).toHaveLength(1)
  })

  test('must not be an array', () => {
    expect(() => makeManager().getProcessLogs('x', [])).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
  })
})

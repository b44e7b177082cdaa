'use strict'

const { makeManager, exitOf, run, once, wrote } = require('../support/manager')
const { fixture, until } = require('../support/children')

/** The log of a shell's printf. */
async function logOf (format, config = {}) {
  const manager = makeManager()
  const { id } = await run(manager, { command: 'printf', args: [format], ...config })
  return manager.getProcessLogs(id, Infinity).stdout
}

describe('lines', () => {
  test.each([
    ['one\\ntwo\\n', ['one', 'two']], ['', []], ['\\n', ['']], ['\\n\\n', ['', '']], ['one\\n\\ntwo\\n', ['one', '', 'two']],
    ['no newline', ['no newline']], ['one\\nrest', ['one', 'rest']], ['dos\\r\\n', ['dos']], ['\\r\\n', ['']],
    ['two\\r\\r\\n', ['two\r']], ['a\\rb\\n', ['a\rb']], ['end\\r', ['end\r']], ['nul\\000in it\\n', ['nul\0in it']],
    ['tab\\t\\033[1m\\n', ['tab\t\x1b[1m']], ['vt\\v ff\\f ls\\342\\200\\250\\n', ['vt\v ff\f ls\u2028']]
  ])('of printf %j are %j', async (format, lines) => {
    expect(await logOf(format)).toEqual(lines)
  })

  test('a last line without newline counts once the stream ended, not before', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    manager.writeStdin(id, 'done\nhalf')
    await wrote(manager, id, 'half')
    expect(manager.getProcessLogs(id).stdout).toEqual(['done'])
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    expect(manager.getProcessLogs(id).stdout).toEqual(['done', 'half'])
  })

  test('of stdout and stderr are kept apart, each in order', async () => {
    const manager = makeManager()
    const { id } = await run(manager, {
      command: 'sh', args: ['-c', 'for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done']
    })
    const numbers = [1, 2, 3, 4, 5]
    expect(manager.getProcessLogs(id)).toEqual({
      stdout: numbers.map(n => `out ${n}`), stderr: numbers.map(n => `err ${n}`)
    })
  })
})

describe('getProcessLogs', () => {
  test('gives the last lines, oldest first, 100 by default', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: fixture('numbered-lines'), args: ['500'] })
    const all = Array.from({ length: 500 }, (_, n) => String(n + 1))
    expect(manager.getProcessLogs(id).stdout).toEqual(all.slice(-100))
    expect(manager.getProcessLogs(id, 3).stdout).toEqual(['498', '499', '500'])
    expect(manager.getProcessLogs(id, 1000).stdout).toEqual(all)
    expect(manager.getProcessLogs(id, 0)).toEqual({ stdout: [], stderr: [] })
  })

  test('is two empty arrays for an unknown id, new ones each time', () => {
    const manager = makeManager()
    const logs = manager.getProcessLogs('nobody')
    expect(logs).toEqual({ stdout: [], stderr: [] })
    logs.stdout.push('x')
    expect(manager.getProcessLogs('nobody')).toEqual({ stdout: [], stderr: [] })
    expect(logs.stdout).toBeInstanceOf(Array)
  })

  test('works while it runs, after its end, and no more once it is removed', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('say-ready') })
    await until(() => manager.getProcessLogs(id).stdout.length > 0, 'a line is in the log')
    await manager.stopProcess(id)
    expect(manager.getProcessLogs(id).stdout).toEqual(['ready'])
    manager.removeProcess(id)
    expect(manager.getProcessLogs(id).stdout).toEqual([])
  })

  test('is complete when the exit event comes, listeners or not', async () => {
    const manager = makeManager()
    const counts = []
    manager.on('exit', ({ processId }) => counts.push(manager.getProcessLogs(processId, Infinity).stdout.length))
    for (let i = 0; i < 10; i++) manager.spawnProcess({ command: fixture('numbered-lines'), args: ['900'] })
    await once(manager, 'exit', () => counts.length === 10)
    expect(counts).toEqual(new Array(10).fill(900))
  })

  test('in a listener has the chunk and the line already', async () => {
    const manager = makeManager()
    const kept = []
    manager.on('line', ({ processId, line }) => kept.push(manager.getProcessLogs(processId, Infinity).stdout.includes(line)))
    const id = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['50'] })
    await exitOf(manager, id)
    expect(kept).toEqual(new Array(50).fill(true))
  })

  test('goes on over restarts', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: 'echo', args: ['again'] })
    const exit = exitOf(manager, id)
    await manager.restartProcess(id)
    await exit
    expect(manager.getProcessLogs(id).stdout).toEqual(['again', 'again'])
  })
})

describe('the ring', () => {
  test('keeps 1000 lines of each stream by default', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: 'sh', args: ['-c', 'seq 1500; seq 1200 >&2'] })
    const { stdout, stderr } = manager.getProcessLogs(id, Infinity)
    expect([stdout.length, stdout[0], stdout.at(-1)]).toEqual([1000, '501', '1500'])
    expect([stderr.length, stderr[0], stderr.at(-1)]).toEqual([1000, '201', '1200'])
  })

  test('keeps maxLogLines', async () => {
    const manager = makeManager()
    for (const maxLogLines of [1, 7]) {
      const { id } = await run(manager, { command: fixture('numbered-lines'), args: ['100'], maxLogLines })
      expect(manager.getProcessLogs(id, Infinity).stdout).toHaveLength(maxLogLines)
      expect(manager.getProcessLogs(id, Infinity).stdout.at(-1)).toBe('100')
    }
  })

  test('keeps maxLogBytes: the oldest lines go first', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: fixture('flood'), args: ['100000', '100'], maxLogBytes: 5000 })
    const { stdout } = manager.getProcessLogs(id, Infinity)
    const bytes = stdout.join('').length
    expect(bytes).toBeLessThanOrEqual(5000)
    expect(bytes).toBeGreaterThan(4000)
    for (const line of stdout) expect(line).toBe('x'.repeat(99))
  })

  test('says what it cut of a line that is longer', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: fixture('one-line'), args: ['100000'], maxLogBytes: 2048 })
    const { stdout } = manager.getProcessLogs(id, Infinity)
    expect(stdout).toHaveLength(1)
    const [, kept, cut] = /^(x+) \[… (\d+) bytes cut\]$/.exec(stdout[0])
    expect(kept.length + Number(cut)).toBe(100000)
    expect(kept.length).toBeLessThanOrEqual(2048)
    expect(kept.length).toBeGreaterThan(1900)
  })

  test('is bounded under 100 MB without a newline', async () => {
    const manager = makeManager()
    global.gc?.()
    const before = process.memoryUsage().rss
    const { exit, id } = await runQuietly(manager, { command: fixture('one-line'), args: ['100000000'] })
    expect(exit.code).toBe(0)
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * 2 ** 20)
    const [line] = manager.getProcessLogs(id).stdout
    expect(line).toMatch(/ \[… \d+ bytes cut\]$/)
    expect(line.length).toBeLessThan(4.1 * 2 ** 20)
  })

  test('is bounded under 100 MB of short lines', async () => {
    const manager = makeManager()
    const before = process.memoryUsage().rss
    const { exit, id } = await runQuietly(manager, { command: fixture('flood'), args: ['100000000', '10'] })
    expect(exit.code).toBe(0)
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * 2 ** 20)
    expect(manager.getProcessLogs(id, Infinity).stdout).toEqual(new Array(1000).fill('x'.repeat(9)))
  })
})

/** Runs to the end with nobody listening to output. */
async function runQuietly (manager, config) {
  const id = manager.spawnProcess(config)
  return { id, exit: await exitOf(manager, id) }
}

test('of a million lines none is missing when the exit comes', async () => {
  const manager = makeManager()
  let count = 0
  let last = 0
  let inOrder = true
  manager.on('line', ({ line }) => {
    count++
    inOrder &&= Number(line) === last + 1
    last = Number(line)
  })
  await exitOf(manager, manager.spawnProcess({ command: fixture('numbered-lines'), args: ['1000000'] }))
  expect([count, inOrder]).toEqual([1000000, true])
  expect(manager.getProcessLogs('proc_1000', 2).stdout).toEqual(['999999', '1000000'])
})

test('a flood does not keep the loop from its other work', async () => {
  const manager = makeManager()
  for (let i = 0; i < 3; i++) manager.spawnProcess({ command: fixture('flood'), args: ['50000000', '10'] })
  let turns = 0
  const { processId } = await new Promise(resolve => {
    manager.once('exit', resolve)
    const turn = () => {
      turns++
      if (manager.listProcesses().some(({ state }) => state === 'running')) setImmediate(turn)
    }
    turn()
  })
  expect(processId).toMatch(/proc_100/)
  expect(turns).toBeGreaterThan(50)
})

'use strict'

// stdout taken for messages: one JSON object or array a line.

const { makeManager, record, once, exitOf, run, thrownBy } = require('../support/manager')
const { fixture, until } = require('../support/children')
const { runHost } = require('../support/host')
const { Random } = require('../soak/random')

const echo = fixture('echo-stdin')
const kinds = ['message', 'stray', 'error']

/** What was told, in order: [event, message or line or error]. */
function tell (manager, names = kinds) {
  const told = []
  for (const name of names) {
    manager.on(name, payload => told.push([name, payload.message ?? payload.line ?? payload.error]))
  }
  return told
}

/** Has a command write `input` to its stdout, and gives what was told of it. */
async function take (input, config = {}, names = kinds) {
  const manager = makeManager({ messages: 'raw' })
  const told = tell(manager, names)
  const id = manager.spawnProcess({ command: echo, ...config })
  const exit = exitOf(manager, id)
  manager.writeStdin(id, input)
  manager.closeStdin(id)
  expect((await exit).code).toBe(0)
  return { manager, id, told, log: manager.getProcessLogs(id, Infinity).stdout }
}

/** The same with each piece written on its own. */
async function takePieces (pieces, config = {}) {
  const manager = makeManager({ messages: 'raw' })
  const told = tell(manager)
  const id = manager.spawnProcess({ command: fixture('write-hex'), ...config })
  for (const piece of pieces) {
    const { lines } = manager.getProcessStatus(id).output.stderr
    manager.writeStdin(id, `${Buffer.from(piece).toString('hex')}\n`)
    await until(() => manager.getProcessStatus(id).output.stderr.lines > lines, 'a piece is written')
  }
  const exit = exitOf(manager, id)
  manager.closeStdin(id)
  await exit
  return told
}

const messages = texts => texts.map(text => ['message', text])

describe('framing', () => {
  test.each([
    ['lines', '{"a":1}\n[2]\n', ['{"a":1}', '[2]']], ['CRLF', '{"a":1}\r\n[2]\r\n', ['{"a":1}', '[2]']],
    ['a last one without a line end', '{}\n{"last":true}', ['{}', '{"last":true}']],
    ['a last one that ends in CR', '{}\n[]\r', ['{}', '[]']],
    ['blank lines', '\n\n{}\n \t \n\r\n  \r\n[]\n\n', ['{}', '[]']],
    ['space around it', ' {"a" : 1 }\t\n', [' {"a" : 1 }\t']], ['nothing', '', []],
    ['escapes', '{"t":"\\n\\u20ac\\"\\\\"}\n', ['{"t":"\\n\\u20ac\\"\\\\"}']],
    ['line ends of Unicode in it', '{"t":"a\u2028b\u0085c"}\n', ['{"t":"a\u2028b\u0085c"}']]
  ])('%s', async (_, input, wanted) => {
    expect((await take(input)).told).toEqual(messages(wanted))
    expect((await take(input, { messages: 'json' })).told).toEqual(messages(wanted.map(text => JSON.parse(text))))
  })

  test('none by default', async () => {
    const { told, log } = await take('{}\nx\n', { messages: 'none' })
    expect(told).toEqual([])
    expect(log).toEqual(['{}', 'x'])
  })

  test('is of stdout alone', async () => {
    const manager = makeManager({ messages: 'raw' })
    const told = tell(manager)
    const { stderr } = await run(manager, { command: 'sh', args: ['-c', 'echo "{}"; echo "[1]" >&2; echo x >&2'] })
    expect(told).toEqual([['message', '{}']])
    expect(stderr).toBe('[1]\nx\n')
  })

  test.each(['raw', 'json'])('%s: characters that are cut at every border', async mode => {
    const text = '{"t":"aé€😀z"}'
    const bytes = Buffer.from(`${text}\n`)
    const pieces = []
    for (let border = 1; border < bytes.length; border++) pieces.push(bytes.subarray(0, border), bytes.subarray(border))
    const told = await takePieces(pieces, { messages: mode })
    const wanted = mode === 'raw' ? text : JSON.parse(text)
    expect(told).toEqual(messages(new Array(bytes.length - 1).fill(wanted)))
  })

  test.each(['raw', 'json'])('%s: pieces of any length', async mode => {
    const texts = Array.from({ length: 300 }, (_, n) => JSON.stringify({ n, text: '€😀x'.repeat(n % 23) }))
    const { told } = await take(texts.join('\r\n'), { command: fixture('echo-pieces'), args: ['7', '60'], messages: mode })
    expect(told).toEqual(messages(mode === 'raw' ? texts : texts.map(text => JSON.parse(text))))
  })

  test.each(['raw', 'json'])('%s: messages of megabytes', async mode => {
    const texts = [1, 100, 3e6, 10, 5e6, 2].map((length, n) => JSON.stringify({ n, text: 'x€'.repeat(length / 4) }))
    const { told } = await take(`${texts.join('\n')}\n`, { messages: mode, maxMessageBytes: 16 * 2 ** 20 })
    expect(told.map(([name]) => name)).toEqual(new Array(6).fill('message'))
    for (const [n, [, message]] of told.entries()) {
      expect((mode === 'raw' ? message : JSON.stringify(message)) === texts[n]).toBe(true)
    }
  })

  test('the other events tell of the same bytes', async () => {
    const { told, log } = await take('{"a":1}\nx\n', {}, ['stdout', 'line', 'message', 'stray'])
    expect(told.filter(([name]) => name === 'line')).toEqual([['line', '{"a":1}'], ['line', 'x']])
    expect(told).toContainEqual(['message', '{"a":1}'])
    expect(told).toContainEqual(['stray', 'x'])
    expect(log).toEqual(['{"a":1}', 'x'])
  })

  test('the exit comes after the last message', async () => {
    const manager = makeManager({ messages: 'json' })
    const seen = record(manager, ['message', 'exit'])
    await exitOf(manager, manager.spawnProcess({ command: 'sh', args: ['-c', 'for i in 1 2 3 4 5; do echo "[$i]"; done; printf "[6]"'] }))
    expect(seen.map(([name]) => name)).toEqual([...new Array(6).fill('message'), 'exit'])
  })

  test('a listener finds in the log what it is told of', async () => {
    const manager = makeManager({ messages: 'json' })
    const found = []
    manager.on('message', ({ processId, message }) => {
      found.push(manager.getProcessLogs(processId, Infinity).stdout.includes(JSON.stringify(message)))
    })
    await exitOf(manager, manager.spawnProcess({ command: 'sh', args: ['-c', 'for i in 1 2 3 4 5; do echo "[$i]"; done'] }))
    expect(found).toEqual(new Array(5).fill(true))
  })
})

describe('what is no JSON object or array', () => {
  const strays = [
    'hello', '5', '"text"', 'null', 'true', '{', '{"a":1', '{"a":1}}', '{a:1}', '[1,]', '{"a":01}', '{"a":"\t"}', '[1] x', "{'a':1}",
    '{"a":1,}', '[+1]', '[.5]', '[1.]', '[1e]', '["\\x"]', '["\\u12g4"]', '[NaN]', '{"a" 1}', '{1:2}', '\ufeff{}', '[nul]', '[1 2]', '//', '{}{}'
  ]

  test.each(['raw', 'json'])('%s: is told of as a stray, is in the log, and the stream goes on', async mode => {
    const lines = strays.flatMap(line => [line, '{"next":1}'])
    const { told, log } = await take(`${lines.join('\n')}\n`, { messages: mode })
    const next = mode === 'raw' ? '{"next":1}' : { next: 1 }
    expect(told).toEqual(strays.flatMap(line => [['stray', line], ['message', next]]))
    expect(log).toEqual(lines)
  })

  test('is told of to who listens to strays alone, too', async () => {
    for (const mode of ['raw', 'json']) {
      const { told } = await take('{}\n{x}\n', { messages: mode }, ['stray'])
      expect(told).toEqual([['stray', '{x}']])
    }
  })

  const seed = 20261128

  test(`JSON.parse is of the same opinion (seed ${seed})`, async () => {
    const random = new Random(seed)
    const lines = Array.from({ length: 4000 }, () => mutated(random))
    const wanted = lines.filter(line => !/^[ \t\r]*$/.test(line)).map(line => [isMessage(line) ? 'message' : 'stray', line])
    const { told } = await take(`${lines.join('\n')}\n`)
    expect(told).toEqual(wanted)
    expect(told.filter(([name]) => name === 'message').length).toBeGreaterThan(500)
    const parsed = await take(`${lines.join('\n')}\n`, { messages: 'json' })
    expect(parsed.told).toEqual(wanted.map(([name, line]) => [name, name === 'message' ? JSON.parse(line) : line]))
  })

  function isMessage (line) {
    try {
      const value = JSON.parse(line)
      return typeof value === 'object' && value !== null
    } catch {
      return false
    }
  }

  function value (random, depth) {
    const kind = random.between(0, depth > 3 ? 4 : 6)
    if (kind === 5) return Array.from({ length: random.between(0, 4) }, () => value(random, depth + 1))
    if (kind === 6) return Object.fromEntries(Array.from({ length: random.between(0, 4) }, (_, n) => [`k${n}`, value(random, depth + 1)]))
    return [null, true, random.between(-1e6, 1e6) / 1000, 1e21 * random.next(), random.pick(['', 'a"b\\', '€\u0007', '\ud800', '{[}]'])][kind]
  }

  /* A line of JSON with up to two characters of it changed. */
  function mutated (random) {
    let text = JSON.stringify([value(random, 0), { x: value(random, 1) }], null, random.chance(0.2) ? '\t' : 0).replaceAll('\n', ' ')
    for (let changes = random.between(0, 2); changes > 0; changes--) {
      const at = random.between(0, text.length)
      text = text.slice(0, at) + random.pick([...'{}[]",:\\0123eE+-.tfn \u0001\u007f€', '']) + text.slice(at + random.between(0, 1))
    }
    return text.replace(/\r$/, '')
  }
})

describe('maxMessageBytes', () => {
  const ofLength = length => `["${'x'.repeat(length - 4)}"]`

  test.each([['\n'], ['\r\n']])('is that of a message that still comes, with %j behind it', async end => {
    const { told } = await take(`${ofLength(1024)}${end}${ofLength(1023)}${end}`, { maxMessageBytes: 1024 })
    expect(told).toEqual(messages([ofLength(1024), ofLength(1023)]))
  })

  test.each([['just', 1025], ['within a read', 3000], ['beyond a read', 1e6]])('a message that is longer (%s) is left out and told of once, the next comes', async (_, length) => {
    const input = `{"a":1}\n${ofLength(length)}\n{"b":2}\n`
    for (const config of [{ command: echo }, { command: echo, messages: 'json' }]) {
      const { told, log } = await take(input, { ...config, maxMessageBytes: 1024 })
      expect(told.map(([name]) => name).sort()).toEqual(['error', 'message', 'message'])
      const [, error] = told.find(([name]) => name === 'error')
      expect(error).toBeInstanceOf(Error)
      expect(error.code).toBe('ERR_MESSAGE_TOO_LONG')
      expect(error.message).toContain('maxMessageBytes (1024)')
      expect(error.message).toContain(` ${length} bytes`)
      expect(log).toEqual(['{"a":1}', ofLength(length), '{"b":2}'])
    }
  })

  test('also when it comes in pieces, or is the last thing', async () => {
    const long = ofLength(2000)
    for (const input of [`[1]\n${long}\n[2]\n[3]`, `[1]\n[2]\n[3]\n${long}`, `${long}\r\n[1]\n[2]\n[3]`]) {
      const { told } = await take(input, { command: fixture('echo-pieces'), args: ['3', '500'], maxMessageBytes: 1024 })
      expect(told.filter(([name]) => name === 'message')).toEqual(messages(['[1]', '[2]', '[3]']))
      expect(told.filter(([name]) => name === 'error')).toHaveLength(1)
    }
  })

  test('bounds the memory of a line without end', async () => {
    const manager = makeManager({ messages: 'json' })
    const failed = once(manager, 'error')
    const before = process.memoryUsage().rss
    await exitOf(manager, manager.spawnProcess({ command: fixture('one-line'), args: ['100000000'] }))
    expect(process.memoryUsage().rss - before).toBeLessThan(60 * 2 ** 20)
    expect((await failed).error.message).toMatch(/100000000 bytes is longer than maxMessageBytes \(10485760\)/)
  })
})

describe('logMessages: false', () => {
  test.each([
    ['raw', kinds], ['json', kinds], ['raw', []], ['json', []], ['json', ['message']], ['raw', ['stray']]
  ])('%s: only strays are logged, listeners %j', async (messages, names) => {
    const input = '{"a":1}\nstray\n[1]\n{"b":\n\n{"c":3}\nlast'
    const { told, log } = await take(input, { messages, logMessages: false }, names)
    expect(log).toEqual(['stray', '{"b":', 'last'])
    expect(told.map(([name]) => name)).toEqual(
      ['message', 'stray', 'message', 'stray', 'message', 'stray'].filter(name => names.includes(name)))
  })

  test('does not concern stderr', async () => {
    const manager = makeManager({ messages: 'raw', logMessages: false })
    const { id } = await run(manager, { command: 'sh', args: ['-c', 'echo "{}"; echo "{}" >&2; echo err >&2'] })
    expect(manager.getProcessLogs(id)).toEqual({ stdout: [], stderr: ['{}', 'err'] })
  })
})

describe('encoding', () => {
  const input = Buffer.concat([Buffer.from('{"t":"€'), Buffer.from([0xff]), Buffer.from('"}\n'), Buffer.from([0xfe, 0x0a])])

  test("'buffer' gives raw messages and strays as Buffers", async () => {
    const { told } = await take(input, { encoding: 'buffer' })
    for (const [, data] of told) expect(Buffer.isBuffer(data)).toBe(true)
    expect(Buffer.concat(told.map(([, data]) => Buffer.concat([data, Buffer.from('\n')]))).equals(input)).toBe(true)
  })

  test("'latin1' gives a character a byte", async () => {
    const { told } = await take(input, { encoding: 'latin1' })
    expect(told.map(([, text]) => `${text}\n`).join('')).toBe(input.toString('latin1'))
  })

  test('does not change what JSON means', async () => {
    for (const encoding of ['utf8', 'latin1', 'buffer']) {
      const { told } = await take(input, { encoding, messages: 'json' })
      expect(told[0]).toEqual(['message', { t: '€\ufffd' }])
    }
  })
})

describe('listeners', () => {
  test('that come and go get what ends in their time', async () => {
    for (const mode of ['raw', 'json']) {
      const manager = makeManager({ messages: mode })
      const told = []
      const listener = ({ message }) => told.push(mode === 'raw' ? JSON.parse(message) : message)
      const id = manager.spawnProcess({ command: echo })
      const wrote = (text, bytes) => {
        manager.writeStdin(id, text)
        return until(() => manager.getProcessStatus(id).output.stdout.bytes === bytes, 'it is read')
      }
      await wrote('[1]\n[2', 5)
      manager.on('message', listener)
      await wrote(']\n[3]\n', 9)
      manager.off('message', listener)
      await wrote('[4]\n', 12)
      manager.once('message', listener)
      await wrote('[5]\n[6]\n', 18)
      expect(told).toEqual([[2], [3], [5]])
    }
  })

  test('one that throws costs the others nothing', async () => {
    const { code, printed, stderr } = await runHost(({ ProcessManager, fixture, print }) => {
      const manager = new ProcessManager({ messages: 'json' })
      const thrown = []
      process.on('uncaughtException', error => thrown.push(error.message))
      const told = []
      manager.on('message', ({ message }) => {
        told.push(message)
        if (message.n % 2) throw new Error(`at ${message.n}`)
      })
      manager.on('exit', () => setImmediate(() => print({ told, thrown })))
      const id = manager.spawnProcess({ command: fixture('echo-stdin') })
      manager.writeStdin(id, '{"n":1}\n{"n":2}\n{"n":3}\n{"n":4}\n')
      manager.closeStdin(id)
    })
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(printed).toEqual([{ told: [1, 2, 3, 4].map(n => ({ n })), thrown: ['at 1', 'at 3'] }])
  })
})

test('two processes are not mixed up', async () => {
  const manager = makeManager({ messages: 'json' })
  const told = { a: [], b: [] }
  manager.on('message', ({ processId, message }) => told[processId].push(message))
  manager.on('stray', ({ line }) => { throw new Error(line) })
  const ids = ['a', 'b']
  for (const id of ids) manager.spawnProcess({ id, command: fixture('write-hex') })
  const text = id => JSON.stringify({ of: id, text: '€'.repeat(10) }) + '\n'
  for (let at = 0; at < Buffer.byteLength(text('a')); at += 5) {
    for (const id of ids) manager.writeStdin(id, `${Buffer.from(text(id)).subarray(at, at + 5).toString('hex')}\n`)
    const written = at / 5 + 1
    await until(() => ids.every(id => manager.getProcessStatus(id).output.stderr.lines === written), 'both have written')
  }
  await manager.stopAll()
  expect(told).toEqual({ a: [JSON.parse(text('a'))], b: [JSON.parse(text('b'))] })
})

test('half a message of one start is not completed by the next', async () => {
  const manager = makeManager({ messages: 'json', restartDelay: 0, maxRestarts: 2 })
  const told = tell(manager, ['message', 'stray'])
  const pids = []
  manager.on('spawn', ({ pid }) => pids.push(pid))
  manager.spawnProcess({ command: 'sh', args: ['-c', 'printf "]}\\n{\\"pid\\":$$}\\n{\\"half\\":["; exit 1'], autoRestart: true })
  await once(manager, 'limit')
  expect(pids).toHaveLength(3)
  expect(told).toEqual(pids.flatMap(pid => [['stray', ']}'], ['message', { pid }], ['stray', '{"half":[']]))
})

test('nobody listens: it is logged all the same', async () => {
  for (const mode of ['raw', 'json']) {
    const { log } = await take('{}\nx\n', { messages: mode }, [])
    expect(log).toEqual(['{}', 'x'])
  }
})

test.each([
  ['messages', 'yes', TypeError], ['messages', true, TypeError], ['maxMessageBytes', 1023, RangeError], ['maxMessageBytes', '1', TypeError],
  ['maxMessageBytes', 2 ** 29 + 1, RangeError], ['logMessages', 1, TypeError], ['pipeSize', 1, RangeError], ['pipeSize', 5000.5, RangeError]
])('%s: %p is refused by name and value', (name, value, Class) => {
  const manager = makeManager()
  const inConfig = thrownBy(() => manager.spawnProcess({ command: echo, [name]: value }))
  const inOptions = thrownBy(() => makeManager({ [name]: value }))
  for (const [error, where] of [[inConfig, 'config'], [inOptions, 'options']]) {
    expect(error).toBeInstanceOf(Class)
    expect(error.message).toContain(`${where}.${name} `)
    expect(error.message).toContain(String(value))
  }
})

'use strict'

// Output as text: characters across chunk borders, invalid bytes, encodings.

const { execFileSync } = require('node:child_process')
const { makeManager, once, exitOf, run, record } = require('../support/manager')
const { fixture } = require('../support/children')

/** Has test/fixtures/write-hex.c write each piece on its own; gives the chunks that arrived. */
async function writePieces (pieces, config = {}, event = 'stdout') {
  const manager = makeManager()
  const chunks = []
  manager.on(event, ({ data }) => chunks.push(data))
  const lines = record(manager, ['line'])
  const id = manager.spawnProcess({ command: fixture('write-hex'), ...config })
  for (const piece of pieces) {
    const written = once(manager, 'stderr')
    manager.writeStdin(id, `${Buffer.from(piece).toString('hex')}\n`)
    await written
  }
  const exit = exitOf(manager, id)
  manager.closeStdin(id)
  await exit
  return { chunks, lines: lines.filter(([, { stream }]) => stream === 'stdout').map(([, { line }]) => line), log: manager.getProcessLogs(id).stdout }
}

const cutEverywhere = text => [...Buffer.from(text)].map(byte => [byte])

describe('UTF-8', () => {
  test.each([['é'], ['€'], ['😀'], ['aé€😀z'], ['日本語\n🦊🦊\n'], ['\u{10FFFF}'], ['\ufeffbom']])(
    '%j survives being written byte by byte', async text => {
      const { chunks, lines, log } = await writePieces(cutEverywhere(text))
      expect(chunks.join('')).toBe(text)
      for (const chunk of chunks) expect(chunk).not.toContain('\ufffd')
      expect(log).toEqual(text.replace(/\n$/, '').split('\n'))
      expect(lines).toEqual(log)
    })

  test('a long text with borders at odd places arrives whole', async () => {
    const text = '😀é€x'.repeat(60000)
    const { stdout } = await run(makeManager(), {
      command: process.execPath, args: ['-e', "process.stdout.write('😀é€x'.repeat(60000))"]
    })
    expect(stdout === text).toBe(true)
  })

  test.each([
    ['a stray continuation', [0x61, 0x80, 0x62]], ['bytes that are never there', [0xfe, 0xff, 0xc0, 0xc1]],
    ['an overlong form', [0xe0, 0x80, 0xaf]], ['a surrogate', [0xed, 0xa0, 0x80]], ['too large', [0xf4, 0x90, 0x80, 0x80]],
    ['a cut character before ASCII', [0xf0, 0x9f, 0x98, 0x61]], ['two cut characters', [0xe2, 0x82, 0xe2, 0x82]],
    ['a cut character at the end', [0x61, 0xf0, 0x9f, 0x98]], ['a lonely lead byte at the end', [0xf0]],
    ['an invalid second byte', [0xf0, 0x80, 0x80, 0x80]], ['a mix', [0xe2, 0x82, 0xac, 0xff, 0xe2, 0x28, 0xa1, 0xc3]]
  ])('invalid bytes become U+FFFD as TextDecoder has it, in one piece or byte by byte: %s', async (_, bytes) => {
    const wanted = new TextDecoder().decode(Uint8Array.from(bytes))
    for (const pieces of [[bytes], bytes.map(byte => [byte])]) {
      const { chunks, lines, log } = await writePieces(pieces)
      expect(chunks.join('')).toBe(wanted)
      expect(log.join('\n')).toBe(wanted)
      expect(lines).toEqual(log)
    }
  })

  test('a whole program of them', async () => {
    const manager = makeManager()
    const wanted = new TextDecoder().decode(execFileSync(fixture('bad-utf8')))
    const { id, stdout } = await run(manager, { command: fixture('bad-utf8') })
    expect(stdout).toBe(wanted)
    expect(manager.getProcessLogs(id).stdout).toEqual(wanted.split('\n'))
  })

  test('a character that the end of the stream cuts comes before the exit', async () => {
    const manager = makeManager()
    const seen = record(manager, ['stdout', 'exit'])
    await exitOf(manager, manager.spawnProcess({ command: 'printf', args: ['a\\342\\202'] }))
    expect(seen.map(([name, { data }]) => data ?? name)).toEqual(['a', '\ufffd', 'exit'])
  })
})

describe('encoding', () => {
  test("'buffer' gives each chunk's bytes as a Buffer", async () => {
    const { chunks } = await writePieces([[0x00, 0xff, 0xc3], [0xa9, 0x0a]], { encoding: 'buffer' })
    for (const chunk of chunks) {
      expect(Buffer.isBuffer(chunk)).toBe(true)
      expect(chunk).toBeInstanceOf(Uint8Array)
    }
    expect(Buffer.concat(chunks).toString('hex')).toBe('00ffc3a90a')
  })

  test('buffers are the listener\'s own: they keep their bytes', async () => {
    const manager = makeManager()
    const kept = []
    manager.on('stdout', ({ data }) => kept.push([data, data.toString('latin1')]))
    await exitOf(manager, manager.spawnProcess({ command: fixture('numbered-lines'), args: ['200000'], encoding: 'buffer' }))
    expect(kept.length).toBeGreaterThan(1)
    for (const [data, text] of kept) expect(data.toString('latin1') === text).toBe(true)
  })

  test("'buffer' gives lines as Buffers too", async () => {
    const { lines, log } = await writePieces([[0xff, 0x0a]], { encoding: 'buffer' })
    expect(lines.map(line => Buffer.from(line).toString('hex'))).toEqual(['ff'])
    expect(log).toEqual(['\ufffd'])
  })

  test("'latin1' gives a character a byte", async () => {
    const bytes = Array.from({ length: 256 }, (_, n) => n)
    const { chunks } = await writePieces([bytes.slice(0, 200), bytes.slice(200)], { encoding: 'latin1' })
    expect(chunks.join('')).toBe(Buffer.from(bytes).toString('latin1'))
  })

  test('may be chosen for each process', async () => {
    const manager = makeManager({ encoding: 'buffer' })
    const seen = new Map()
    manager.on('stdout', ({ processId, data }) => seen.set(processId, typeof data))
    const ids = [
      manager.spawnProcess({ command: 'echo' }), manager.spawnProcess({ command: 'echo', encoding: 'utf8' })
    ]
    await Promise.all(ids.map(id => exitOf(manager, id)))
    expect(ids.map(id => seen.get(id))).toEqual(['object', 'string'])
  })

  test('does not change the logs, which are text', async () => {
    for (const encoding of ['utf8', 'latin1', 'buffer']) {
      const manager = makeManager()
      const id = manager.spawnProcess({ command: 'echo', args: ['€'], encoding })
      await exitOf(manager, id)
      expect(manager.getProcessLogs(id).stdout).toEqual(['€'])
    }
  })
})

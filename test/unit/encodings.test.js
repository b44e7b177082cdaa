'use strict'

// Output as text, against TextDecoder: bytes of all kinds in pieces of all lengths.

const { makeManager, exitOf, record } = require('../support/manager')
const { fixture } = require('../support/children')
const { Random } = require('../soak/random')

const seed = 20261128
const decode = bytes => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

/** What arrives of bytes that a command writes in pieces of 1 to `most` bytes: chunks, lines, log. */
async function writeBytes (bytes, most, config = {}, events = ['stdout', 'line']) {
  const manager = makeManager({ maxLogLines: 1e6, maxLogBytes: 2 ** 28 })
  const seen = record(manager, events)
  const id = manager.spawnProcess({ command: fixture('echo-pieces'), args: [String(seed), String(most)], ...config })
  const exit = exitOf(manager, id)
  manager.writeStdin(id, bytes)
  manager.closeStdin(id)
  expect(await exit).toMatchObject({ code: 0, unsent: 0 })
  return {
    chunks: seen.filter(([name]) => name === 'stdout').map(([, { data }]) => data),
    lines: seen.filter(([name]) => name === 'line').map(([, { line }]) => line),
    log: manager.getProcessLogs(id, Infinity).stdout,
    records: manager.getProcessLogs(id, { lines: Infinity }).map(({ line }) => line)
  }
}

/** The lines of bytes, each for itself: what a cut character does ends with its line. */
function linesOf (bytes) {
  const lines = []
  let start = 0
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    lines.push(bytes.subarray(start, bytes[end - 1] === 13 && end > start ? end - 1 : end))
    start = end + 1
  }
  if (start < bytes.length) lines.push(bytes.subarray(start))
  return lines
}

/* Says where two texts differ instead of printing both. */
function expectSame (text, wanted) {
  if (text === wanted) return
  let at = 0
  while (text[at] === wanted[at]) at++
  const around = string => JSON.stringify(string.slice(Math.max(0, at - 10), at + 20))
  throw new Error(`At ${at} of ${wanted.length} there is ${around(text)} instead of ${around(wanted)}`)
}

function expectSameLines (lines, wanted) {
  expect(lines).toHaveLength(wanted.length)
  expectSame(lines.join('\n'), wanted.join('\n'))
}

async function expectAsDecoded (bytes, most) {
  const { chunks, lines, log, records } = await writeBytes(bytes, most)
  expectSame(chunks.join(''), decode(bytes))
  const wanted = linesOf(bytes).map(line => decode(line))
  for (const found of [lines, log, records]) expectSameLines(found, wanted)
}

const sequences = {
  valid: ['é', '€', '😀', '\u0080', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}', '\ufeff'].map(text => [...Buffer.from(text)]),
  ascii: [[0x61], [0x7f], [0], [0x20, 0x41], [0x1b, 0x5b]],
  continuations: [[0x80], [0xbf], [0x80, 0x80, 0x80, 0x80]],
  truncated: [[0xc3], [0xe2], [0xe2, 0x82], [0xf0], [0xf0, 0x9f], [0xf0, 0x9f, 0x98], [0xf4, 0x8f, 0xbf]],
  overlong: [[0xc0, 0xaf], [0xc1, 0xbf], [0xe0, 0x80, 0xaf], [0xe0, 0x9f, 0xbf], [0xf0, 0x80, 0x80, 0xaf], [0xf0, 0x8f, 0xbf, 0xbf]],
  surrogates: [[0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  tooLarge: [[0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
  never: [[0xfe], [0xff], [0xff, 0xfe], [0xef, 0xbb]],
  lineEnds: [[10], [13, 10], [13], [13, 13, 10]]
}

/** Bytes of hostile and of harmless sequences, and of plain chance. */
function hostile (random, length) {
  const bytes = []
  while (bytes.length < length) {
    const kind = random.pick(Object.keys(sequences))
    if (random.chance(0.1)) bytes.push(random.between(0, 255))
    else bytes.push(...random.pick(sequences[kind]))
  }
  return Uint8Array.from(bytes)
}

describe(`utf8 as TextDecoder has it (seed ${seed})`, () => {
  const random = new Random(seed)

  test.each([1, 2, 3, 5, 17, 1000].map(most => [most, hostile(random, most < 5 ? 6000 : 20000)]))(
    'hostile bytes in pieces of up to %i', (most, bytes) => expectAsDecoded(bytes, most))

  test('random bytes in large pieces', () => {
    const bytes = Uint8Array.from({ length: 150000 }, () => random.between(0, 255))
    return expectAsDecoded(bytes, 65536)
  })

  test('a mostly ASCII text', () => {
    const parts = Array.from({ length: 3000 }, () => (random.chance(0.05) ? hostile(random, 8) : Buffer.from('plain text of a server\n')))
    return expectAsDecoded(Buffer.concat(parts), 4000)
  })

  test('each sequence alone, before and behind all others', () => {
    const all = Object.values(sequences).flat()
    return expectAsDecoded(Uint8Array.from(all.flatMap(first => all.flatMap(second => [...first, ...second, 0x2e]))), 3000)
  })

  test('each sequence as the end of the output', async () => {
    for (const end of Object.values(sequences).flat()) await expectAsDecoded(Uint8Array.from([0x61, ...end]), 1)
  })

  test('every two bytes', () => {
    const bytes = []
    for (let first = 0x7f; first < 256; first++) {
      for (let second = 0x7f; second < 256; second++) bytes.push(first, second, 0x2c)
    }
    return expectAsDecoded(Uint8Array.from(bytes), 5000)
  })

  test('characters that are cut at every border', () => expectAsDecoded(Buffer.from('aé€😀\u{10ffff}\ufeff日本\r\n'.repeat(40)), 1))

  test('a byte order mark, at the beginning and later, is a character', async () => {
    const { chunks, lines } = await writeBytes(Buffer.from('\ufeffa\n\ufeffb'), 100)
    expect(chunks.join('')).toBe('\ufeffa\n\ufeffb')
    expect(lines).toEqual(['\ufeffa', '\ufeffb'])
  })

  test('without a listener to lines, and without one to chunks', async () => {
    const bytes = hostile(random, 20000)
    expectSame((await writeBytes(bytes, 50, {}, ['stdout'])).chunks.join(''), decode(bytes))
    const wanted = linesOf(bytes).map(line => decode(line))
    expectSameLines((await writeBytes(bytes, 50, {}, ['line'])).lines, wanted)
    expectSameLines((await writeBytes(bytes, 50, {}, [])).log, wanted)
  })

  test('no chunk ends or begins within a character', async () => {
    const { chunks } = await writeBytes(Buffer.from('é€😀'.repeat(500)), 4)
    for (const chunk of chunks) expect(chunk).not.toContain('\ufffd')
    expect(chunks.length).toBeGreaterThan(500)
  })
})

describe('latin1', () => {
  test.each([1, 1000, 65536])('is Buffer\'s, in pieces of up to %i', async most => {
    const bytes = hostile(new Random(seed + most), most === 1 ? 3000 : 40000)
    const { chunks, lines, log } = await writeBytes(bytes, most, { encoding: 'latin1' })
    expectSame(chunks.join(''), Buffer.from(bytes).toString('latin1'))
    expectSameLines(lines, linesOf(bytes).map(line => Buffer.from(line).toString('latin1')))
    expectSameLines(log, linesOf(bytes).map(line => decode(line)))
  })
})

describe('buffer', () => {
  test.each([1, 1000, 65536])('is the bytes, in pieces of up to %i', async most => {
    const bytes = Buffer.from(hostile(new Random(seed + most), most === 1 ? 3000 : 40000))
    const { chunks, lines, log } = await writeBytes(bytes, most, { encoding: 'buffer' })
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    const wanted = linesOf(bytes)
    expect(lines).toHaveLength(wanted.length)
    expect(lines.every((line, n) => Buffer.isBuffer(line) && line.equals(wanted[n]))).toBe(true)
    expectSameLines(log, wanted.map(line => decode(line)))
  })
})

describe('every byte value', () => {
  const bytes = Uint8Array.from({ length: 256 * 3 }, (_, n) => (n * 7) % 256)

  test.each([
    ['utf8', decode(bytes)], ['latin1', Buffer.from(bytes).toString('latin1')], ['buffer', Buffer.from(bytes).toString('hex')]
  ])('%s', async (encoding, wanted) => {
    for (const most of [1, 10000]) {
      const { chunks } = await writeBytes(bytes, most, { encoding })
      expect(encoding === 'buffer' ? Buffer.concat(chunks).toString('hex') : chunks.join('')).toBe(wanted)
    }
  })
})

'use strict'

// sendMessage: messages for a command's stdin, a line each.

const { makeManager, record, once, exitOf, startReady, wrote, thrownBy } = require('../support/manager')
const { fixture, isAlive, until } = require('../support/children')

const MiB = 2 ** 20

/** What a command gets of messages that are sent to it by `send`. */
async function received (send, options) {
  const manager = makeManager(options)
  let text = ''
  manager.on('stdout', ({ data }) => { text += data })
  const id = manager.spawnProcess({ command: fixture('echo-stdin') })
  const exit = exitOf(manager, id)
  send(manager, id)
  manager.closeStdin(id)
  expect(await exit).toMatchObject({ code: 0, unsent: 0 })
  return text
}

describe('what is sent', () => {
  test.each([
    ['a string as it is', '{"a": 1}', '{"a": 1}'], ['a string that is no JSON', 'hello €', 'hello €'], ['an empty string', '', ''],
    ['the bytes of a Buffer', Buffer.from('{"€":1}'), '{"€":1}'], ['a typed array', new Uint16Array([0x6161]), 'aa'],
    ['an object', { jsonrpc: '2.0', id: 1, params: { t: 'a\n€😀\u2028' } }, '{"jsonrpc":"2.0","id":1,"params":{"t":"a\\n€😀\u2028"}}'],
    ['an array', [1, [null]], '[1,[null]]'], ['a number', 1.5, '1.5'], ['null', null, 'null'], ['a boolean', false, 'false'],
    ['what toJSON says', { toJSON: () => ({ x: 1 }) }, '{"x":1}'], ['a lone surrogate in an object', ['\ud800'], '["\\ud800"]'],
    ['a NUL byte', 'a\0b', 'a\0b'], ['undefined within it', { a: undefined, b: [undefined] }, '{"b":[null]}']
  ])('%s', async (_, message, line) => {
    expect(await received((manager, id) => manager.sendMessage(id, message))).toBe(`${line}\n`)
  })

  test('comes back as it was by messages: json', async () => {
    const manager = makeManager({ messages: 'json' })
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    for (const message of [{ a: '€\n\r\u2028"\\' }, [1, 'x'], { deep: { er: [{}] } }]) {
      const back = once(manager, 'message')
      expect(manager.sendMessage(id, message)).toBe(true)
      expect((await back).message).toEqual(message)
    }
  })

  test('messages of 4 MB arrive intact', async () => {
    const manager = makeManager({ messages: 'json' })
    const back = []
    manager.on('message', ({ message }) => back.push(message))
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const sent = [1, 2, 3].map(n => ({ n, text: `${n}€😀xyz`.repeat(4 * MiB / 11) }))
    for (const message of sent) manager.sendMessage(id, message)
    await once(manager, 'message', () => back.length === 3)
    for (const [n, message] of back.entries()) {
      expect(message.n).toBe(sent[n].n)
      expect(message.text === sent[n].text).toBe(true)
    }
    expect(manager.sendMessage(id, {})).toBe(true)
  })
})

describe('order', () => {
  test('is that of the calls, those of writeStdin among them', async () => {
    const text = await received((manager, id) => {
      manager.sendMessage(id, 'one')
      manager.writeStdin(id, 'two ')
      manager.writeStdin(id, Buffer.from('three\n'))
      manager.sendMessage(id, ['four'])
      manager.sendMessage(id, 'five')
      manager.writeStdin(id, 'six\n')
    })
    expect(text).toBe('one\ntwo three\n["four"]\nfive\nsix\n')
  })

  test('is kept when more waits than the pipe holds', async () => {
    let wanted = ''
    const text = await received((manager, id) => {
      for (let n = 0; n < 3000; n++) {
        const line = `${n} ${'x'.repeat(n * 7 % 600)}`
        if (n % 3 === 0) manager.writeStdin(id, `${line}\n`)
        else manager.sendMessage(id, line)
        wanted += `${line}\n`
      }
      const large = 'y'.repeat(300000)
      manager.sendMessage(id, large)
      manager.sendMessage(id, 'last')
      wanted += `${large}\nlast\n`
    })
    expect(text === wanted).toBe(true)
  })

  test('over many turns', async () => {
    const manager = makeManager({ messages: 'json' })
    const back = []
    manager.on('message', ({ message }) => back.push(message[0]))
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    for (let n = 0; n < 1000; n++) {
      manager.sendMessage(id, [n])
      if (n % 10 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    await until(() => back.length === 1000, 'all are back')
    expect(back).toEqual(Array.from({ length: 1000 }, (_, n) => n))
  })

  test('before the end of stdin that closeStdin makes', async () => {
    expect(await received((manager, id) => {
      for (let n = 0; n < 100; n++) manager.sendMessage(id, `${n}`)
    })).toBe(Array.from({ length: 100 }, (_, n) => `${n}\n`).join(''))
  })
})

describe('one turn of the loop', () => {
  /** A command that waits for its stdin, in which a turn of two messages came before. */
  async function startTelling (manager) {
    const id = await startReady(manager, { command: fixture('tell-reads') })
    let read = 0
    const all = once(manager, 'line', ({ line }) => (read += Number(line)) === 4)
    manager.sendMessage(id, '1')
    manager.sendMessage(id, '2')
    await all
    await until(() => /^S/.test(stateOf(manager, id)), 'it waits for its stdin')
    return id
  }

  /** The sizes of the reads of such a command. */
  async function readSizes (send) {
    const manager = makeManager()
    const id = await startTelling(manager)
    const sizes = []
    manager.on('line', ({ line }) => sizes.push(Number(line)))
    const exit = exitOf(manager, id)
    await send(manager, id)
    manager.closeStdin(id)
    await exit
    return sizes
  }

  function stateOf (manager, id) {
    const stat = require('node:fs').readFileSync(`/proc/${manager.getProcessStatus(id).pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2)
  }

  test('is one write', async () => {
    const sizes = await readSizes((manager, id) => {
      for (let n = 0; n < 200; n++) manager.sendMessage(id, `${n}`.padStart(9, '0'))
    })
    expect(sizes).toEqual([2000])
  })

  test('also for messages that have memory of their own', async () => {
    const sizes = await readSizes((manager, id) => {
      for (let n = 0; n < 8; n++) manager.sendMessage(id, 'x'.repeat(4999 + n))
    })
    expect(sizes).toEqual([8 * 5000 + 28])
  })

  test('with one message: it has been written when sendMessage returns', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: 'sh', args: ['-c', 'echo ready; read line'] })
    const { pid } = manager.getProcessStatus(id)
    manager.sendMessage(id, 'x')
    /* The loop has no turn meanwhile. */
    const deadline = Date.now() + 20000
    while (isAlive(pid)) expect(Date.now()).toBeLessThan(deadline)
  })

  test('within a listener, too', async () => {
    const manager = makeManager()
    const id = await startTelling(manager)
    const sizes = []
    const other = manager.spawnProcess({ command: fixture('echo-stdin'), messages: 'json' })
    manager.on('message', () => {
      for (let n = 0; n < 50; n++) manager.sendMessage(id, '123')
      manager.closeStdin(id)
    })
    manager.on('line', ({ processId, line }) => processId === id && sizes.push(Number(line)))
    const exit = exitOf(manager, id)
    manager.sendMessage(other, {})
    await exit
    expect(sizes).toEqual([200])
  })
})

describe('backpressure', () => {
  test('answers false from stdinHighWaterMark on, and drain comes once', async () => {
    const manager = makeManager()
    const seen = record(manager, ['drain'])
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), stdinHighWaterMark: 10 })
    expect(manager.sendMessage(id, 'written at once')).toBe(true)
    expect(manager.sendMessage(id, '12345678')).toBe(true)
    expect(manager.sendMessage(id, '')).toBe(false)
    expect(manager.sendMessage(id, 'x'.repeat(5 * MiB))).toBe(false)
    await once(manager, 'drain')
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    expect(seen).toEqual([['drain', { processId: id }]])
  })

  test('is enough to send without end', async () => {
    const manager = makeManager()
    let bytes = 0
    let waits = 0
    manager.on('stdout', ({ data }) => { bytes += data.length })
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    for (let n = 0; n < 200; n++) {
      if (manager.sendMessage(id, 'x'.repeat(99999))) continue
      waits++
      await once(manager, 'drain')
    }
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    expect(bytes).toBe(200 * 100000)
    expect(waits).toBeGreaterThan(0)
  })

  test('ends in ERR_STDIN_FULL, with nothing of that message taken', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), maxStdinBytes: 1000 })
    let text = ''
    manager.on('stdout', ({ data }) => { text += data })
    manager.sendMessage(id, 'written at once')
    expect(manager.sendMessage(id, 'x'.repeat(899))).toBe(true)
    const error = thrownBy(() => manager.sendMessage(id, 'y'.repeat(100)))
    expect(error).toMatchObject({ code: 'ERR_STDIN_FULL', message: expect.stringContaining('maxStdinBytes (1000)') })
    manager.sendMessage(id, 'z'.repeat(99))
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    expect(text).toBe(`written at once\n${'x'.repeat(899)}\n${'z'.repeat(99)}\n`)
  })
})

describe('is refused', () => {
  const cycle = {}
  cycle.self = cycle

  test.each([
    ['a line end', 'a\nb', 'ERR_INVALID_MESSAGE', /line end/], ['a line end behind it', '{}\n', 'ERR_INVALID_MESSAGE', /line end/],
    ['a CRLF', 'a\r\nb', 'ERR_INVALID_MESSAGE', /line end/], ['undefined', undefined, 'ERR_INVALID_ARG_TYPE', /message .*undefined/],
    ['a function', () => {}, 'ERR_INVALID_ARG_TYPE', /message .*function/], ['a symbol', Symbol('x'), 'ERR_INVALID_ARG_TYPE', /message .*symbol/],
    ['a BigInt', 1n, 'ERR_INVALID_MESSAGE', /message .*BigInt/], ['a BigInt in it', { a: [1n] }, 'ERR_INVALID_MESSAGE', /message .*BigInt/],
    ['a cycle', cycle, 'ERR_INVALID_MESSAGE', /message .*circular/],
    ['a toJSON that throws', { toJSON () { throw new Error('no way') } }, 'ERR_INVALID_MESSAGE', /message .*no way/],
    ['a toJSON that throws nothing', { toJSON () { throw null } }, 'ERR_INVALID_MESSAGE', /message /],
    ['a toJSON that gives undefined', { toJSON () {} }, 'ERR_INVALID_ARG_TYPE', /message .*an object/]
  ])('%s, and nothing is sent', async (_, message, code, words) => {
    const text = await received((manager, id) => {
      const error = thrownBy(() => manager.sendMessage(id, message))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.code).toBe(code)
      expect(error.message).toMatch(words)
      manager.sendMessage(id, 'next')
    })
    expect(text).toBe('next\n')
  })

  test.each([['nobody'], [''], [3], [undefined]])('the unknown id %p', id => {
    const error = thrownBy(() => makeManager().sendMessage(id, {}))
    expect(error).toMatchObject({ code: 'ERR_UNKNOWN_PROCESS', message: expect.stringContaining('no process') })
  })

  test('an ended process, stdin: ignore, a closed stdin, a closed manager', async () => {
    const manager = makeManager()
    const ended = manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] })
    await exitOf(manager, ended)
    const ignoring = await startReady(manager, { command: fixture('say-ready'), stdin: 'ignore' })
    const closed = await startReady(manager, { command: fixture('say-ready') })
    manager.closeStdin(closed)
    for (const id of [ended, ignoring, closed]) {
      expect(thrownBy(() => manager.sendMessage(id, {}))).toMatchObject({ code: 'ERR_STDIN_CLOSED' })
    }
    await manager.cleanup()
    expect(thrownBy(() => manager.sendMessage(closed, {}))).toMatchObject({ code: 'ERR_UNKNOWN_PROCESS' })
  })

  test('a command that could not be started', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: '/none' })
    await once(manager, 'error')
    expect(thrownBy(() => manager.sendMessage(id, {}))).toMatchObject({ code: 'ERR_STDIN_CLOSED' })
  })
})

describe('a command', () => {
  test('that never reads: it waits, and what is left is unsent', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('never-read-stdin') })
    let sent = 0
    for (; sent < 8 * MiB; sent += 100000) manager.sendMessage(id, 'x'.repeat(99999))
    const exit = exitOf(manager, id)
    expect(await manager.stopProcess(id)).toBe(true)
    const { unsent } = await exit
    expect(unsent).toBeGreaterThan(sent - 2 * MiB)
    expect(unsent).toBeLessThanOrEqual(sent)
  })

  test('that closes its stdin: an error tells of it, and it may run on', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('close-stdin') })
    const failed = once(manager, 'error')
    manager.sendMessage(id, { a: 1 })
    const { processId, error } = await failed
    expect(processId).toBe(id)
    expect(error).toMatchObject({ code: 'EPIPE', message: expect.stringMatching(/8 bytes/) })
    expect(thrownBy(() => manager.sendMessage(id, {}))).toMatchObject({ code: 'ERR_STDIN_CLOSED' })
    expect(manager.getProcessStatus(id).status).toBe('running')
  })

  test('that dies with messages on their way', async () => {
    const manager = makeManager()
    manager.on('error', () => {})
    const id = await startReady(manager, { command: fixture('never-read-stdin') })
    manager.sendMessage(id, 'x'.repeat(3 * MiB))
    const exit = exitOf(manager, id)
    process.kill(manager.getProcessStatus(id).pid, 'SIGKILL')
    expect((await exit).unsent).toBeGreaterThan(MiB)
    expect(thrownBy(() => manager.sendMessage(id, {}))).toMatchObject({ code: 'ERR_STDIN_CLOSED' })
  })

  test('that is restarted gets none of what was for the start before', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('never-read-stdin') })
    manager.sendMessage(id, 'x'.repeat(3 * MiB))
    await manager.restartProcess(id)
    expect(manager.sendMessage(id, {})).toBe(true)
  })

  test('that was just spawned, or is stopped in the same turn', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const echoed = wrote(manager, id, '"early"\n')
    manager.sendMessage(id, '"early"')
    await echoed
    manager.sendMessage(id, 'late')
    expect(await manager.stopProcess(id)).toBe(true)
    const other = manager.spawnProcess({ command: fixture('echo-stdin') })
    manager.sendMessage(other, 'x'.repeat(MiB))
    await manager.cleanup()
  })
})

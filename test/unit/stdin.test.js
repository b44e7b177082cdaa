'use strict'

const { makeManager, record, once, exitOf, startReady, run, wrote, thrownBy, collect } = require('../support/manager')
const { fixture } = require('../support/children')

const MiB = 2 ** 20

describe('writeStdin', () => {
  test('reaches the command, in order', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const output = collect(manager, id)
    const exit = exitOf(manager, id)
    for (let i = 0; i < 100; i++) expect(manager.writeStdin(id, `${i}\n`)).toBe(true)
    manager.closeStdin(id)
    expect(await exit).toMatchObject({ code: 0, unsent: 0 })
    expect(output.stdout).toBe(Array.from({ length: 100 }, (_, i) => `${i}\n`).join(''))
  })

  test.each([
    ['a string', 'é€😀', 'é€😀'], ['an empty string', '', ''], ['a Buffer', Buffer.from('buffer'), 'buffer'],
    ['a part of a Buffer', Buffer.from('a part of it').subarray(2, 6), 'part'],
    ['a Uint8Array', Uint8Array.of(97, 98), 'ab'], ['another view', Uint16Array.of(0x6261, 0x6463), 'abcd'],
    ['a DataView', new DataView(Uint8Array.of(120, 97, 98).buffer, 1), 'ab'], ['an empty Buffer', Buffer.alloc(0), ''],
    ['a NUL', 'a\0b', 'a\0b'], ['a lone surrogate', 'a\ud800b', 'a\ufffdb']
  ])('takes %s', async (_, data, wanted) => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const output = collect(manager, id)
    expect(manager.writeStdin(id, data)).toBe(true)
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    expect(output.stdout).toBe(wanted)
  })

  test.each([[undefined], [null], [3], [{}], [['a']], [new ArrayBuffer(3)], [Symbol('x')]])('refuses %p', data => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const error = thrownBy(() => manager.writeStdin(id, data))
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('data') })
  })

  test('copies: a buffer may be used again at once', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const output = collect(manager, id)
    const data = Buffer.alloc(MiB, 'a')
    manager.writeStdin(id, data)
    data.fill('b')
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    expect(output.stdout.length).toBe(MiB)
    expect(output.stdout).not.toContain('b')
  })

  test('is possible right after the spawn, and from inside the spawn event', async () => {
    const manager = makeManager()
    manager.once('spawn', ({ processId }) => manager.writeStdin(processId, 'second'))
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const done = wrote(manager, id, 'firstsecond')
    manager.writeStdin(id, 'first')
    await done
  })
})

describe('backpressure', () => {
  test('writeStdin is false when more waits than the mark, drain tells when it is gone', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const output = collect(manager, id)
    expect(manager.writeStdin(id, Buffer.alloc(MiB, 'x'))).toBe(false)
    expect(await once(manager, 'drain')).toEqual({ processId: id })
    expect(manager.writeStdin(id, 'y')).toBe(true)
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    expect(await exit).toMatchObject({ code: 0, unsent: 0 })
    expect(output.stdout.length).toBe(MiB + 1)
  })

  test('drain comes once for many writes, and never unasked', async () => {
    const manager = makeManager()
    const seen = record(manager, ['drain'])
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    manager.writeStdin(id, 'short')
    await wrote(manager, id, 'short')
    expect(seen).toEqual([])
    for (let i = 0; i < 5; i++) manager.writeStdin(id, Buffer.alloc(MiB, 'x'))
    await once(manager, 'drain')
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    expect(seen).toHaveLength(1)
  })

  test('the mark is stdinHighWaterMark', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('never-read-stdin'), stdinHighWaterMark: 200000 })
    let taken = 0
    while (manager.writeStdin(id, Buffer.alloc(1000))) taken += 1000
    /* What the pipe itself holds comes on top. */
    expect(taken).toBeGreaterThanOrEqual(200000)
    expect(taken).toBeLessThan(200000 + 2 * MiB)
  })

  test('50 MB go through unharmed', async () => {
    const manager = makeManager()
    let bytes = 0
    manager.on('stdout', ({ data }) => { bytes += data.length })
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), encoding: 'buffer' })
    for (let sent = 0; sent < 50; sent++) {
      if (!manager.writeStdin(id, Buffer.alloc(MiB, sent))) await once(manager, 'drain')
    }
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    expect(await exit).toMatchObject({ code: 0, unsent: 0 })
    expect(bytes).toBe(50 * MiB)
  })
})

describe('what would pass maxStdinBytes', () => {
  test('is refused with ERR_STDIN_FULL, and nothing of it is taken', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('never-read-stdin'), maxStdinBytes: MiB })
    manager.writeStdin(id, Buffer.alloc(MiB))
    const error = thrownBy(() => {
      for (;;) manager.writeStdin(id, Buffer.alloc(MiB))
    })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ code: 'ERR_STDIN_FULL', message: expect.stringMatching(/maxStdinBytes \(1048576\)/) })
    expect(manager.getProcessStatus(id).status).toBe('running')
    const exit = exitOf(manager, id)
    await manager.stopProcess(id, 0)
    const { unsent } = await exit
    expect(unsent).toBeGreaterThan(0)
    expect(unsent).toBeLessThanOrEqual(MiB)
  })

  test('is possible again once the command has read', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin'), maxStdinBytes: MiB })
    const output = collect(manager, id)
    manager.writeStdin(id, Buffer.alloc(MiB, 'a'))
    const refused = thrownBy(() => manager.writeStdin(id, Buffer.alloc(MiB, 'b')))
    expect(refused.code).toBe('ERR_STDIN_FULL')
    await once(manager, 'drain')
    manager.writeStdin(id, Buffer.alloc(MiB, 'c'))
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    await exit
    expect(output.stdout).toBe('a'.repeat(MiB) + 'c'.repeat(MiB))
  })
})

describe('closeStdin', () => {
  test('lets the command see the end', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('exit-on-eof') })
    const exit = exitOf(manager, id)
    expect(manager.closeStdin(id)).toBe(true)
    expect(await exit).toMatchObject({ code: 0, signal: null })
  })

  test('is false while something waits, which still goes out', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    const output = collect(manager, id)
    manager.writeStdin(id, Buffer.alloc(2 * MiB, 'x'))
    expect(manager.closeStdin(id)).toBe(false)
    expect(thrownBy(() => manager.writeStdin(id, 'more')).code).toBe('ERR_STDIN_CLOSED')
    await exitOf(manager, id)
    expect(output.stdout.length).toBe(2 * MiB)
    expect(manager.closeStdin(id)).toBe(true)
  })

  test('may be called again, and writing after it throws', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('say-ready') })
    expect([manager.closeStdin(id), manager.closeStdin(id)]).toEqual([true, true])
    expect(thrownBy(() => manager.writeStdin(id, 'x'))).toMatchObject({ code: 'ERR_STDIN_CLOSED' })
    expect(manager.getProcessStatus(id).status).toBe('running')
  })
})

describe('a command that', () => {
  test('closed its stdin loses what is written: an error event, no exception', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('close-stdin') })
    const seen = record(manager)
    expect(typeof manager.writeStdin(id, 'lost')).toBe('boolean')
    const { processId, error } = await once(manager, 'error')
    expect(processId).toBe(id)
    expect(error).toMatchObject({ code: 'EPIPE', syscall: 'write' })
    expect(error).toBeInstanceOf(Error)
    expect(manager.getProcessStatus(id)).toMatchObject({ status: 'running', state: 'running' })
    expect(thrownBy(() => manager.writeStdin(id, 'x')).code).toBe('ERR_STDIN_CLOSED')
    await manager.stopProcess(id)
    expect(seen.map(([name]) => name)).toEqual(['error', 'exit', 'stop'])
    expect(seen[1][1].unsent).toBe(4)
  })

  test('never reads does not hold up the others, nor its stop', async () => {
    const manager = makeManager()
    const id = await startReady(manager, { command: fixture('never-read-stdin') })
    manager.on('error', () => {})
    manager.writeStdin(id, Buffer.alloc(10 * MiB))
    const { stdout } = await run(manager, { command: 'echo', args: ['hello'] })
    expect(stdout).toBe('hello\n')
    const exit = exitOf(manager, id)
    expect(await manager.stopProcess(id)).toBe(true)
    const { unsent } = await exit
    expect(unsent).toBeGreaterThan(8 * MiB)
    expect(unsent).toBeLessThanOrEqual(10 * MiB)
  })

  test('has ended takes nothing: ERR_STDIN_CLOSED', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: fixture('exit-with'), args: ['0'] })
    expect(thrownBy(() => manager.writeStdin(id, 'x'))).toMatchObject({ code: 'ERR_STDIN_CLOSED' })
    expect(manager.closeStdin(id)).toBe(true)
  })

  test('is restarted has a new stdin', async () => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command: fixture('echo-stdin') })
    manager.closeStdin(id)
    expect(await manager.restartProcess(id)).toBe(true)
    const echo = wrote(manager, id, 'again')
    expect(manager.writeStdin(id, 'again')).toBe(true)
    await echo
  })
})

describe("stdin: 'ignore'", () => {
  test('is at its end from the start', async () => {
    const { exit, stdout } = await run(makeManager(), { command: fixture('echo-stdin'), stdin: 'ignore' })
    expect([exit.code, stdout]).toEqual([0, ''])
  })

  test('refuses writing, and is closed', async () => {
    const manager = makeManager({ stdin: 'ignore' })
    const id = manager.spawnProcess({ command: fixture('say-ready') })
    expect(thrownBy(() => manager.writeStdin(id, 'x')).code).toBe('ERR_STDIN_CLOSED')
    expect(manager.closeStdin(id)).toBe(true)
  })

  test('and pipe are what the command sees', async () => {
    const manager = makeManager()
    for (const [stdin, wanted] of [['ignore', '0 device read'], ['pipe', '0 pipe read']]) {
      const { stdout } = await run(manager, { command: fixture('list-descriptors'), stdin })
      expect(stdout.trim().split('\n').sort()).toEqual([wanted, '1 pipe write', '2 pipe write'])
    }
  })
})

'use strict'

const { makeManager, thrownBy, exitOf, startReady, wrote } = require('../support/manager')
const { fixture } = require('../support/children')

const command = fixture('say-ready')

describe('an id may be', () => {
  test.each([
    '__proto__', 'constructor', 'toString', 'hasOwnProperty', '🦊', 'é', 'a b', '/', '..', '%s', '-1', '0', 'undefined',
    'x'.repeat(256), 'é'.repeat(128), '"', "'", '\\', '日本語', '\u2028', '\u{10FFFF}'
  ])('%j', async id => {
    const manager = makeManager()
    expect(manager.spawnProcess({ id, command })).toBe(id)
    const { data, processId } = await wrote(manager, id, 'ready')
    expect([processId, data]).toEqual([id, 'ready\n'])
    expect(manager.getProcessStatus(id).status).toBe('running')
    expect(manager.listProcesses()[0].id).toBe(id)
    const exit = exitOf(manager, id)
    expect(await manager.stopProcess(id, 0)).toBe(true)
    expect((await exit).processId).toBe(id)
    expect(manager.getProcessLogs(id).stdout).toEqual(['ready'])
    expect(manager.removeProcess(id)).toBe(true)
    expect(Object.prototype.command).toBeUndefined()
  })
})

describe('an id may not', () => {
  test.each([
    ['be empty', ''], ['have over 256 bytes', 'x'.repeat(257)], ['have over 256 bytes of UTF-8', 'é'.repeat(129)],
    ['have a million characters', 'x'.repeat(1e6)], ['have a lone surrogate', '\ud800'],
    ['have half a pair', 'a\udc00b'], ['have a NUL', 'a\0b'], ['have a newline', 'a\nb'], ['have a tab', '\t'],
    ['have an escape', '\x1b[31m'], ['have a DEL', '\x7f'], ['have a C1 control', '\x9b31m']
  ])('%s', (_, id) => {
    const manager = makeManager()
    const error = thrownBy(() => manager.spawnProcess({ id, command }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('ERR_INVALID_ID')
    expect(error.message).toContain('config.id')
    expect(error.message.length).toBeLessThan(400)
    // eslint-disable-next-line no-control-regex
    expect(error.message).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
    expect(manager.listProcesses()).toEqual([])
  })

  test('be that of a living process', async () => {
    const manager = makeManager()
    await startReady(manager, { id: 'taken', command })
    const { pid } = manager.getProcessStatus('taken')
    const error = thrownBy(() => manager.spawnProcess({ id: 'taken', command }))
    expect(error.code).toBe('ERR_ID_IN_USE')
    expect(error.message).toMatch(/config\.id .*taken/)
    expect(manager.getProcessStatus('taken').pid).toBe(pid)
  })

  test('be that of a process that waits for a restart, or is being stopped', async () => {
    const manager = makeManager()
    manager.spawnProcess({ id: 'waits', command: '/none', autoRestart: true })
    await new Promise(resolve => manager.once('backoff', resolve))
    expect(thrownBy(() => manager.spawnProcess({ id: 'waits', command })).code).toBe('ERR_ID_IN_USE')
    await startReady(manager, { id: 'stops', command: fixture('ignore-term') })
    const stopped = manager.stopProcess('stops', Infinity)
    expect(thrownBy(() => manager.spawnProcess({ id: 'stops', command })).code).toBe('ERR_ID_IN_USE')
    await manager.stopProcess('stops', 0)
    await stopped
    manager.on('error', () => {})
  })
})

describe('looking for what cannot be an id', () => {
  test.each([[undefined], [null], [3], [{}], [Symbol('x')], [''], ['x'.repeat(1e6)], ['\ud800'], [['a']], [NaN]])(
    '%p is an unknown id', async id => {
      const manager = makeManager()
      await startReady(manager, { command })
      const unknown = { pid: 0, status: 'unknown', uptime: 0, cpu: 0, memory: 0, restarts: 0 }
      expect(manager.getProcessStatus(id)).toEqual(unknown)
      expect(manager.getProcessLogs(id)).toEqual({ stdout: [], stderr: [] })
      expect(await manager.stopProcess(id)).toBe(false)
      expect(await manager.restartProcess(id)).toBe(false)
      expect(manager.removeProcess(id)).toBe(false)
      expect(thrownBy(() => manager.writeStdin(id, 'x')).code).toBe('ERR_UNKNOWN_PROCESS')
      expect(thrownBy(() => manager.closeStdin(id)).code).toBe('ERR_UNKNOWN_PROCESS')
    })

  test('a lone surrogate does not find the id with U+FFFD', async () => {
    const manager = makeManager()
    await startReady(manager, { id: '\ufffd', command })
    expect(manager.getProcessStatus('\ud800').status).toBe('unknown')
    expect(manager.getProcessStatus('\ufffd').status).toBe('running')
  })
})

'use strict'

// Configs that are refused: spawnProcess throws, and nothing is started.

const { makeManager, record, once, run, showStart, startReady, thrownBy, inEffect } = require('../support/manager')
const { fixture } = require('../support/children')

const command = fixture('say-ready')

/** What spawnProcess throws; the manager must be as before. */
function refusal (config, options) {
  const manager = makeManager(options)
  const error = thrownBy(() => manager.spawnProcess(config))
  expect(manager.listProcesses()).toEqual([])
  expect(error).toBeInstanceOf(Error)
  expect(error.stack).toContain('validation.test.js')
  return error
}

describe('config', () => {
  test.each([[undefined], [null], [3], ['x'], [true], [Symbol('x')], [() => {}]])('that is %p is refused', config => {
    const error = refusal(config)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
    expect(error.message).toMatch(/^Command is required/)
  })

  test.each([
    ['missing', {}], ['undefined', { command: undefined }], ['null', { command: null }], ['empty', { command: '' }],
    ['a number', { command: 3 }], ['an array', { command: ['ls'] }], ['an object', { command: { toString: () => 'ls' } }]
  ])('whose command is %s is refused', (_, config) => {
    const error = refusal(config)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('ERR_COMMAND_REQUIRED')
    expect(error.message).toMatch(/^Command is required.*config\.command/)
  })
})

describe('types', () => {
  test.each([
    ['args', 'x', 'config.args'], ['args', {}, 'config.args'], ['args', null, 'config.args'],
    ['args', new Set(['a']), 'config.args'],
    ['args', ['a', 3], 'config.args[1]'], ['args', ['a', null], 'config.args[1]'], ['args', [undefined], 'config.args[0]'],
    // eslint-disable-next-line no-sparse-arrays
    ['args', [, 'a'], 'config.args[0]'],
    ['env', 'x', 'config.env'], ['env', null, 'config.env'], ['env', [], 'config.env'], ['env', new Map(), 'config.env'],
    ['env', { A: 3 }, 'config.env.A'], ['env', { A: null }, 'config.env.A'], ['env', { A: {} }, 'config.env.A'],
    ['id', 3, 'config.id'], ['id', null, 'config.id'], ['id', {}, 'config.id'], ['id', Symbol('x'), 'config.id'],
    ['workingDir', 3, 'config.workingDir'], ['workingDir', null, 'config.workingDir'],
    ['autoRestart', 1, 'config.autoRestart'], ['autoRestart', 'true', 'config.autoRestart'],
    ['maxRestarts', '3', 'config.maxRestarts'], ['encoding', 8, 'config.encoding'], ['stdin', true, 'config.stdin'],
    ['privateWorkingDir', 'yes', 'config.privateWorkingDir'], ['killTree', 0, 'config.killTree'],
    ['containment', false, 'config.containment'], ['eofTimeout', '5', 'config.eofTimeout'],
    ['hostExitTimeout', null, 'config.hostExitTimeout'], ['stopSignal', 'SIGINT', 'config.stopSignal'],
    ['stopSignal', { signal: 2 }, 'config.stopSignal.signal'], ['stopSignal', { to: 1 }, 'config.stopSignal.to'],
    ['inheritEnv', 'all', 'config.inheritEnv'], ['inheritEnv', 3, 'config.inheritEnv'],
    ['inheritEnv', ['A', 3], 'config.inheritEnv[1]'], ['allowUnsafeEnv', 'A', 'config.allowUnsafeEnv'],
    ['allowUnsafeEnv', [3], 'config.allowUnsafeEnv[0]']
  ])('%s: %p is refused by name', (field, value, named) => {
    const error = refusal({ command, [field]: value })
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
    expect(error.message).toContain(named)
    expect(error.message).toMatch(/ must be .*got /)
  })

  test('the message has the value', () => {
    expect(refusal({ command, id: 42 }).message).toContain('42')
    expect(refusal({ command, args: 'a string' }).message).toContain('a string')
    expect(refusal({ command, maxRestarts: -1 }).message).toContain('-1')
  })
})

describe('NUL bytes', () => {
  test.each([
    ['command', { command: 'a\0b' }, 'config.command'],
    ['an argument', { command, args: ['fine', 'a\0b'] }, 'config.args[1]'],
    ['workingDir', { command, workingDir: '/tmp\0/x' }, 'config.workingDir'],
    ['the name of a variable', { command, env: { 'A\0B': 'x' } }, 'config.env'],
    ['the value of a variable', { command, env: { NAME_OF_IT: 'x\0y' } }, 'NAME_OF_IT']
  ])('in %s are refused', (_, config, named) => {
    const error = refusal(config)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('ERR_INVALID_ARG_VALUE')
    expect(error.message).toContain(named)
    expect(error.message).toContain('NUL')
  })
})

describe('variables', () => {
  test.each([[''], ['A=B'], ['='], ['A=']])('named %j are refused', name => {
    const error = refusal({ command, env: { [name]: 'x' } })
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('ERR_INVALID_ARG_VALUE')
    expect(error.message).toContain(JSON.stringify(name))
  })

  test('of whatever kind never show their values', () => {
    const secret = 'sk-very-secret'
    for (const env of [{ A: `${secret}\0` }, { '': secret }, { 'A=': secret }, { LD_PRELOAD: secret }, { A: [secret] },
      { A: { toString: () => secret } }]) {
      expect(refusal({ command, env }).message).not.toContain(secret)
    }
  })

  test('do not show their values when the start fails either', async () => {
    const manager = makeManager()
    const seen = record(manager, ['error'])
    manager.spawnProcess({ command: '/none', env: { TOKEN: 'sk-very-secret' } })
    await new Promise(resolve => manager.on('error', resolve))
    expect(JSON.stringify(seen) + seen[0][1].error.message).not.toContain('sk-very-secret')
  })
})

test('an empty workingDir is refused', () => {
  expect(refusal({ command, workingDir: '' })).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
})

describe('own properties only', () => {
  const polluted = {
    shell: true, args: ['polluted'], env: { POLLUTED: '1' }, workingDir: '/', autoRestart: true, id: 'polluted', cwd: '/',
    maxRestarts: 1, stdin: 'ignore', encoding: 'buffer', inheritEnv: false, allowUnsafeEnv: ['LD_PRELOAD'],
    LD_PRELOAD: '/polluted.so', POLLUTED_NAME: 'x', maxLogLines: 1, maxProcesses: 1, allowedCommands: [], 0: 'polluted',
    privateWorkingDir: true, killTree: false, containment: 'none', eofTimeout: 60000, hostExitTimeout: 60000,
    stopSignal: { signal: 'SIGUSR1', to: 'command' }, to: 'nobody', tree: true
  }

  afterEach(() => {
    for (const name of Object.keys(polluted)) delete Object.prototype[name]
    delete Object.prototype.command
    delete Array.prototype[1]
  })

  function pollute () {
    for (const [name, value] of Object.entries(polluted)) {
       
      Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true, enumerable: true })
    }
  }

  test('a polluted Object.prototype reaches no child', async () => {
    pollute()
    const manager = makeManager()
    const shown = await showStart(manager, { env: { MINE: '1' } })
    expect(shown.id).toBe('proc_1000')
    expect(shown.args).toEqual([fixture('show-start')])
    expect(shown.cwd).toBe(process.cwd())
    expect(shown.env).toMatchObject({ MINE: '1', PATH: process.env.PATH })
    for (const name of ['POLLUTED', 'LD_PRELOAD', 'POLLUTED_NAME', '0', 'shell']) {
      expect(Object.hasOwn(shown.env, name)).toBe(false)
    }
    expect(manager.getProcessStatus(shown.id)).toMatchObject({ state: 'exited', exitCode: 0 })
    const { stdout } = await run(manager, { command: fixture('numbered-lines'), args: ['5'] })
    expect(stdout).toBe('1\n2\n3\n4\n5\n')
    expect(manager.getProcessLogs('proc_1001').stdout).toHaveLength(5)
    /* The members of an object option are no exception. */
    const id = await startReady(manager, { command: fixture('say-ready'), stopSignal: {} })
    expect(manager.getProcessStatus(id).containment).toBe(inEffect('tree'))
    const stop = once(manager, 'stop')
    await manager.stopProcess(id)
    expect(await stop).toMatchObject({ step: 'SIGTERM', signal: 'SIGTERM' })
  })

  test('a command on Object.prototype is no command, a hole in args is not filled', () => {
     
    Object.prototype.command = '/bin/true'
    expect(refusal({}).code).toBe('ERR_COMMAND_REQUIRED')
     
    Array.prototype[1] = 'polluted'
    const args = ['a']
    args.length = 2
    expect(refusal({ command: 'x', args }).message).toContain('config.args[1]')
  })

  test('neither what a class or another object lends', () => {
    expect(refusal(Object.create({ command })).code).toBe('ERR_COMMAND_REQUIRED')
    class Config { get command () { return command } }
    expect(refusal(new Config()).code).toBe('ERR_COMMAND_REQUIRED')
  })

  test('objects without a prototype and frozen ones are as good', async () => {
    const env = Object.freeze(Object.assign(Object.create(null), { MINE: 'yes' }))
    const config = Object.assign(Object.create(null), { command: fixture('show-start'), args: Object.freeze(['a']), env })
    const shown = await showStart(makeManager(Object.create(null)), Object.freeze(config))
    expect(shown.args[1]).toBe('a')
    expect(shown.env.MINE).toBe('yes')
  })

  test('variables may be called like properties of every object', async () => {
    const env = JSON.parse('{ "__proto__": "p", "constructor": "c", "toString": "t" }')
    const { stdout } = await run(makeManager(), { command: fixture('show-start'), env })
    expect(stdout).toMatch(/^env __proto__=p$/m)
    expect(stdout).toMatch(/^env constructor=c$/m)
    expect(stdout).toMatch(/^env toString=t$/m)
  })
})

describe('getters and proxies', () => {
  const boom = new Error('boom')
  const thrower = { enumerable: true, get () { throw boom } }

  test.each(['command', 'args', 'env', 'id', 'workingDir', 'autoRestart', 'maxLogLines', 'encoding', 'inheritEnv', 'containment',
    'stopSignal'])(
    'what a getter of %s throws is what the caller gets', field => {
      expect(refusal(Object.defineProperty({ command }, field, thrower))).toBe(boom)
    })

  test('in env and args too', () => {
    expect(refusal({ command, env: Object.defineProperty({}, 'A', thrower) })).toBe(boom)
    expect(refusal({ command, args: Object.defineProperty(['a', 'b'], 1, thrower) })).toBe(boom)
    expect(refusal({ command, stopSignal: Object.defineProperty({}, 'to', thrower) })).toBe(boom)
    expect(thrownBy(() => makeManager(Object.defineProperty({}, 'maxEnded', thrower)))).toBe(boom)
  })

  test('each property is read once', () => {
    const reads = new Map()
    const config = new Proxy({ command, args: ['a'], id: 'x', env: {}, stopSignal: { signal: 'SIGINT', to: 'tree' } }, {
      get (target, name) {
        reads.set(name, (reads.get(name) ?? 0) + 1)
        return target[name]
      }
    })
    makeManager().spawnProcess(config)
    expect([...reads.values()].every(count => count === 1)).toBe(true)
    expect(reads.get('command')).toBe(1)
    expect(reads.get('stopSignal')).toBe(1)
  })

  test('a getter may use the manager', () => {
    const manager = makeManager()
    const config = { get id () { return manager.spawnProcess({ command }) + '-outer' }, command }
    expect(manager.spawnProcess(config)).toBe('proc_1000-outer')
    expect(manager.listProcesses().map(({ id }) => id)).toEqual(['proc_1000', 'proc_1000-outer'])
  })
})

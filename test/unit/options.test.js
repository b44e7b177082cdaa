'use strict'

// Values of options, arguments of methods.

const { ProcessManager, makeManager, thrownBy, run } = require('../support/manager')
const { fixture } = require('../support/children')

const command = fixture('say-ready')

/* name, smallest, largest (undefined: Infinity is allowed), whole numbers only, may be given for one process */
const table = [
  ['maxProcesses', 1, undefined, true, false], ['maxEnded', 0, undefined, true, false],
  ['maxTotalMemory', 2 ** 20, undefined, true, false], ['maxSpawnsPerSecond', 0.001, undefined, false, false],
  ['monitorInterval', 0, 2 ** 31, false, false],
  ['metricsHistory', 0, 1e6, true, true],
  ['maxLogLines', 1, undefined, true, true], ['maxLogBytes', 1024, 2 ** 28, true, true],
  ['stopTimeout', 0, undefined, false, true], ['maxRestarts', 0, undefined, true, true],
  ['restartDelay', 0, 2 ** 31, false, true], ['restartFactor', 1, 1000, false, true],
  ['maxRestartDelay', 0, 2 ** 31, false, true], ['restartJitter', 0, 1, false, true],
  ['eofTimeout', 0, 2 ** 31, false, true], ['hostExitTimeout', 0, 2 ** 31, false, true],
  ['stableAfter', 0, undefined, false, true], ['stdinHighWaterMark', 1, undefined, true, true],
  ['maxStdinBytes', 1, undefined, true, true]
]

describe.each(table)('%s', (name, smallest, largest, whole, perProcess) => {
  const refused = value => {
    const error = thrownBy(() => new ProcessManager({ [name]: value }))
    expect(error.message).toContain(`options.${name} must be`)
    return error
  }

  test('takes its bounds', () => {
    makeManager({ [name]: smallest })
    if (largest !== undefined) makeManager({ [name]: largest })
    makeManager({ [name]: undefined })
  })

  test('refuses what is out of range', () => {
    for (const value of [smallest - 1, -Infinity, NaN, ...(largest === undefined ? [] : [largest * 2 + 1, Infinity])]) {
      const error = refused(value)
      expect(error).toBeInstanceOf(RangeError)
      expect(error.code).toBe('ERR_OUT_OF_RANGE')
      expect(error.message).toContain(`got ${value}`)
    }
    if (whole) expect(refused(smallest + 1000.5)).toBeInstanceOf(RangeError)
  })

  test('refuses other types', () => {
    for (const value of ['3', null, true, {}, [], 3n, Symbol('x'), () => 3, new Number(3)]) {  
      const error = refused(value)
      expect(error).toBeInstanceOf(TypeError)
      expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
    }
  })

  test('is checked in the config of a process if it may be given there', () => {
    const manager = makeManager({ monitorInterval: 0 })
    if (perProcess) {
      const error = thrownBy(() => manager.spawnProcess({ command, [name]: -1 }))
      expect(error.code).toBe('ERR_OUT_OF_RANGE')
      expect(error.message).toContain(`config.${name} must be`)
      expect(manager.listProcesses()).toEqual([])
    } else {
      manager.spawnProcess({ command, [name]: -1 })
      expect(manager.listProcesses()).toHaveLength(1)
    }
  })
})

describe.each([
  ['stdin', ['pipe', 'ignore']], ['encoding', ['utf8', 'latin1', 'buffer']], ['containment', ['tree', 'nested', 'group', 'none']]
])('%s', (name, words) => {
  test('takes its words', () => {
    for (const word of words) makeManager({ [name]: word })
  })

  test.each([['nothing'], [''], ['Pipe'], ['Tree'], ['utf-16'], ['pipe\0'], ['__proto__']])('refuses %j', word => {
    const error = thrownBy(() => new ProcessManager({ [name]: word }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('ERR_INVALID_ARG_VALUE')
    for (const good of words) expect(error.message).toContain(`'${good}'`)
  })

  test.each([[3], [null], [true], [{}]])('refuses %p', value => {
    expect(thrownBy(() => new ProcessManager({ [name]: value }))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })
})

describe.each(['autoRestart', 'privateWorkingDir', 'killTree'])('%s', name => {
  test('is true or false', () => {
    const manager = makeManager({ [name]: true })
    for (const value of [false, undefined]) manager.spawnProcess({ command, [name]: value })
    expect(manager.listProcesses()).toHaveLength(2)
  })

  test.each([[0], [1], ['true'], [null], [{}]])('refuses %p', value => {
    const manager = makeManager()
    for (const act of [() => new ProcessManager({ [name]: value }), () => manager.spawnProcess({ command, [name]: value })]) {
      const error = thrownBy(act)
      expect(error).toBeInstanceOf(TypeError)
      expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
      expect(error.message).toMatch(new RegExp(`^(options|config)\\.${name} must be true or false; got `))
    }
    expect(manager.listProcesses()).toEqual([])
  })
})

describe('stopSignal', () => {
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']

  /** What both levels throw, as [level, error]. */
  function refusals (stopSignal) {
    const manager = makeManager()
    const errors = [
      ['options', thrownBy(() => new ProcessManager({ stopSignal }))],
      ['config', thrownBy(() => manager.spawnProcess({ command, stopSignal }))]
    ]
    expect(manager.listProcesses()).toEqual([])
    for (const [, error] of errors) expect(error).toBeInstanceOf(TypeError)
    return errors
  }

  test('takes its signals and who gets them, together or alone', () => {
    const manager = makeManager({ stopSignal: {} })
    for (const signal of signals) {
      for (const stopSignal of [{ signal }, { signal, to: 'command' }, { signal, to: 'tree' }]) {
        makeManager({ stopSignal })
        expect(manager.removeProcess(manager.spawnProcess({ command, stopSignal }))).toBe(false)
      }
    }
    for (const stopSignal of [undefined, {}, { to: 'command' }, { signal: undefined, to: undefined }, Object.create(null)]) {
      makeManager({ stopSignal })
    }
  })

  test.each([['SIGKILL'], ['SIGSTOP'], ['SIGCONT'], ['TERM'], ['sigterm'], ['']])('refuses the signal %j', signal => {
    for (const [level, error] of refusals({ signal })) {
      expect(error.code).toBe('ERR_INVALID_ARG_VALUE')
      expect(error.message).toContain(`${level}.stopSignal.signal must be one of`)
      for (const good of signals) expect(error.message).toContain(`'${good}'`)
      expect(error.message).toContain(`got "${signal}"`)
    }
  })

  test.each([['group'], ['all'], ['Tree'], ['']])('refuses to send it to %j', to => {
    for (const [level, error] of refusals({ to })) {
      expect(error.code).toBe('ERR_INVALID_ARG_VALUE')
      expect(error.message).toContain(`${level}.stopSignal.to must be one of 'tree', 'command'; got "${to}"`)
    }
  })

  test.each([[{ signal: 15 }, 'signal'], [{ signal: null }, 'signal'], [{ to: true }, 'to'], [{ to: ['tree'] }, 'to']])(
    'refuses other types: %p', (stopSignal, member) => {
      for (const [level, error] of refusals(stopSignal)) {
        expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
        expect(error.message).toContain(`${level}.stopSignal.${member} must be a string; got `)
      }
    })

  test.each([['SIGINT'], [15], [null], [true], [[]], [() => {}]])('refuses to be %p', stopSignal => {
    for (const [level, error] of refusals(stopSignal)) {
      expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
      expect(error.message).toContain(`${level}.stopSignal must be an object; got `)
    }
  })

  test('is no option under the names of its members', () => {
    makeManager({ 'stopSignal.signal': 'nonsense', signal: 3, to: 'nobody' })
  })
})

describe('options', () => {
  test.each([[null], [3], ['x'], [true], [() => {}]])('that are %p are refused', options => {
    const error = thrownBy(() => new ProcessManager(options))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('ERR_INVALID_ARG_TYPE')
  })

  test('may be missing, empty, or have names that are none of ours', () => {
    for (const options of [undefined, {}, Object.create(null), { shell: true, maxProcess: 3 }]) {
      expect(makeManager(options).listProcesses()).toEqual([])
    }
  })

  test('the class needs new', () => {
    expect(thrownBy(() => ProcessManager())).toBeInstanceOf(TypeError)
  })

  test('of the manager are the defaults of each process', async () => {
    const manager = makeManager({ maxLogLines: 2 })
    const first = await run(manager, { command: fixture('numbered-lines'), args: ['5'] })
    const second = await run(manager, { command: fixture('numbered-lines'), args: ['5'], maxLogLines: 3 })
    expect(manager.getProcessLogs(first.id).stdout).toEqual(['4', '5'])
    expect(manager.getProcessLogs(second.id).stdout).toEqual(['3', '4', '5'])
  })
})

describe('the timeout of stopProcess and stopAll', () => {
  test.each([['3', TypeError], [null, TypeError], [{}, TypeError], [3n, TypeError], [-1, RangeError], [NaN, RangeError],
    [-Infinity, RangeError]])('%p is refused', async (timeout, Class) => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command })
    for (const call of [manager.stopProcess(id, timeout), manager.stopProcess('unknown', timeout), manager.stopAll(timeout)]) {
      const error = await call.catch(error => error)
      expect(error).toBeInstanceOf(Class)
      expect(error.code).toBe(Class === TypeError ? 'ERR_INVALID_ARG_TYPE' : 'ERR_OUT_OF_RANGE')
      expect(error.message).toContain('timeout')
    }
    expect(manager.getProcessStatus(id).state).toBe('running')
  })

  test.each([[0], [0.5], [1e300], [Infinity], [Number.MAX_SAFE_INTEGER], [undefined]])('%p is taken', async timeout => {
    const manager = makeManager()
    const id = manager.spawnProcess({ command })
    expect(await manager.stopProcess(id, timeout)).toBe(true)
  })
})

describe('the lines of getProcessLogs', () => {
  test.each([[-1, RangeError], [NaN, RangeError], [1.5, RangeError], [-Infinity, RangeError], ['3', TypeError],
    [null, TypeError], [true, TypeError], [3n, TypeError]])('%p is refused', (lines, Class) => {
    const manager = makeManager()
    const error = thrownBy(() => manager.getProcessLogs('x', lines))
    expect(error).toBeInstanceOf(Class)
    expect(error.message).toContain('lines')
  })

  test('may be 0, huge or infinite', async () => {
    const manager = makeManager()
    const { id } = await run(manager, { command: fixture('numbered-lines'), args: ['250'] })
    const count = lines => manager.getProcessLogs(id, lines).stdout.length
    expect([undefined, 0, 1, 249, 251, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 1e300, Infinity].map(count))
      .toEqual([100, 0, 1, 249, 250, 250, 250, 250, 250, 250, 250])
  })
})

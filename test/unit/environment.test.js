'use strict'

const { makeManager, showStart, run, thrownBy } = require('../support/manager')
const { fixture } = require('../support/children')

const unsafe = [
  'LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH', 'DYLD_INSERT_LIBRARIES', 'GCONV_PATH', 'GLIBC_TUNABLES', 'NODE_OPTIONS',
  'BASH_ENV', 'ENV', 'ZDOTDIR', 'SHELLOPTS', 'BASHOPTS', 'PS4', 'PROMPT_COMMAND', 'BASH_FUNC_ls%%', 'PYTHONSTARTUP',
  'PYTHONBREAKPOINT', 'PYTHONHOME', 'PERL5OPT', 'PERL5DB', 'RUBYOPT', 'JAVA_TOOL_OPTIONS', 'JDK_JAVA_OPTIONS',
  '_JAVA_OPTIONS', 'DOTNET_STARTUP_HOOKS', 'LUA_INIT', 'LUA_INIT_5_4'
]

const saved = { ...process.env }

afterEach(() => {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(saved, name)) delete process.env[name]
  Object.assign(process.env, saved)
})

const envOf = async (config, options) => (await showStart(makeManager(options), config)).env

describe('config.env', () => {
  test('is merged over process.env', async () => {
    process.env.ENV_TEST_KEPT = 'kept'
    process.env.ENV_TEST_CHANGED = 'before'
    const env = await envOf({ env: { ENV_TEST_CHANGED: 'after', ENV_TEST_NEW: 'new' } })
    expect(env).toEqual({ ...process.env, ENV_TEST_CHANGED: 'after', ENV_TEST_NEW: 'new' })
  })

  test('is not needed: the child has the environment of the host', async () => {
    expect(await envOf({})).toEqual({ ...process.env })
  })

  test('reads process.env at each spawn', async () => {
    const manager = makeManager()
    await showStart(manager)
    process.env.ENV_TEST_LATE = 'late'
    expect((await showStart(manager)).env.ENV_TEST_LATE).toBe('late')
    delete process.env.ENV_TEST_LATE
    expect((await showStart(manager)).env.ENV_TEST_LATE).toBeUndefined()
  })

  test('with undefined takes a variable away', async () => {
    process.env.ENV_TEST_AWAY = 'x'
    const env = await envOf({ env: { ENV_TEST_AWAY: undefined, ENV_TEST_NEVER: undefined } })
    expect(Object.hasOwn(env, 'ENV_TEST_AWAY')).toBe(false)
    expect(Object.hasOwn(env, 'ENV_TEST_NEVER')).toBe(false)
  })

  test.each([
    ['empty', ''], ['with =', 'a=b=c'], ['with spaces', '  a  b '], ['with newlines of its own', 'é✓😀'],
    ['long', 'x'.repeat(100000)]
  ])('hands over values that are %s', async (_, value) => {
    expect((await envOf({ env: { ENV_TEST: value } })).ENV_TEST).toBe(value)
  })

  test('has each name once', async () => {
    const { stdout } = await run(makeManager(), { command: fixture('show-start'), env: { PATH: process.env.PATH, HOME: '/' } })
    expect(stdout.match(/^env PATH=/gm)).toHaveLength(1)
    expect(stdout.match(/^env HOME=.*$/gm)).toEqual(['env HOME=/'])
  })

  test('is used for every start: a restart has the same', async () => {
    const manager = makeManager()
    const shown = await showStart(manager, { env: { ENV_TEST: 'x' }, autoRestart: true })
    process.env.ENV_TEST_LATE = 'late'
    const exit = new Promise(resolve => manager.once('exit', resolve))
    await manager.restartProcess(shown.id)
    await exit
    const log = manager.getProcessLogs(shown.id, Infinity).stdout
    expect(log.filter(line => line === 'env ENV_TEST=x')).toHaveLength(2)
    expect(log).not.toContain('env ENV_TEST_LATE=late')
  })
})

describe('inheritEnv', () => {
  beforeEach(() => Object.assign(process.env, { TERM: 'dumb', HOME: '/home/x', ENV_TEST_SECRET: 'x', ENV_TEST_OTHER: 'y' }))

  test('true is the default', async () => {
    expect(await envOf({ inheritEnv: true })).toEqual({ ...process.env })
  })

  test('false: nothing but config.env', async () => {
    expect(await envOf({ inheritEnv: false, env: { ONLY: 'this', NOT: undefined } })).toEqual({ ONLY: 'this' })
    expect(await envOf({ inheritEnv: false })).toEqual({})
  })

  test("'safe': what the MCP SDKs inherit", async () => {
    const names = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER'].filter(name => process.env[name] !== undefined)
    const env = await envOf({ inheritEnv: 'safe', env: { MINE: '1' } })
    expect(Object.keys(env).sort()).toEqual([...names, 'MINE'].sort())
    expect(env.HOME).toBe('/home/x')
  })

  test("'safe' leaves shell functions out", async () => {
    process.env.TERM = '() { :; }'
    expect(await envOf({ inheritEnv: 'safe' })).not.toHaveProperty('TERM')
  })

  test('names: those and no others', async () => {
    const env = await envOf({ inheritEnv: ['ENV_TEST_SECRET', 'ENV_TEST_MISSING'], env: { MINE: '1' } })
    expect(env).toEqual({ ENV_TEST_SECRET: 'x', MINE: '1' })
    expect(await envOf({ inheritEnv: [] })).toEqual({})
  })

  test('of the manager is the default of its processes', async () => {
    expect(await envOf({}, { inheritEnv: ['ENV_TEST_OTHER'] })).toEqual({ ENV_TEST_OTHER: 'y' })
    expect(await envOf({ inheritEnv: true }, { inheritEnv: false })).toEqual({ ...process.env })
  })
})

describe('variables that make programs run code', () => {
  test.each(unsafe)('%s is refused', name => {
    const error = thrownBy(() => makeManager().spawnProcess({ command: fixture('show-start'), env: { [name]: 'a value' } }))
    expect(error).toBeInstanceOf(Error)
    expect(error.code).toBe('ERR_UNSAFE_ENV')
    expect(error.message).toContain(name)
    expect(error.message).toContain('allowUnsafeEnv')
    expect(error.message).not.toContain('a value')
  })

  test('a shell function under any name is refused', () => {
    const error = thrownBy(() => makeManager().spawnProcess({ command: 'true', env: { INNOCENT: '() { echo; }; echo pwned' } }))
    expect(error).toMatchObject({ code: 'ERR_UNSAFE_ENV', message: expect.stringContaining('INNOCENT') })
  })

  test('each is taken if it is named in allowUnsafeEnv, of the process or the manager', async () => {
    const env = { PS4: 'x', INNOCENT: '() { :; }' }
    expect(await envOf({ env, allowUnsafeEnv: ['PS4', 'INNOCENT'] })).toMatchObject(env)
    expect(await envOf({ env }, { allowUnsafeEnv: ['INNOCENT', 'PS4'] })).toMatchObject(env)
  })

  test('naming one does not allow another, nor a prefix the rest', () => {
    const manager = makeManager({ allowUnsafeEnv: ['PS4', 'LD_', 'LD_*'] })
    for (const env of [{ PS4: 'x', ENV: 'y' }, { LD_PRELOAD: 'x' }]) {
      expect(thrownBy(() => manager.spawnProcess({ command: 'true', env })).code).toBe('ERR_UNSAFE_ENV')
    }
  })

  test('those of the host stay', async () => {
    Object.assign(process.env, { PS4: 'x', NODE_OPTIONS: '--no-warnings', ENV_TEST_FN: '() { :; }' })
    expect(await envOf({})).toMatchObject({ PS4: 'x', NODE_OPTIONS: '--no-warnings', ENV_TEST_FN: '() { :; }' })
  })

  test('may be taken away', async () => {
    process.env.PS4 = 'x'
    expect(await envOf({ env: { PS4: undefined } })).not.toHaveProperty('PS4')
  })

  test.each(['PATH', 'PYTHONPATH', 'NODE_PATH', 'NODE_ENV', 'PERL5LIB', 'ENVIRONMENT', 'ld_preload', 'L', 'LUA', 'PS41'])(
    '%s is none of them', async name => {
      expect(await envOf({ env: { [name]: '/x' } })).toHaveProperty(name, '/x')
    })
})

describe('allowedCommands', () => {
  test('lets these through, to the letter', async () => {
    const manager = makeManager({ allowedCommands: [fixture('show-start'), 'true'] })
    expect((await run(manager, { command: 'true' })).exit.code).toBe(0)
    for (const command of ['false', '/bin/true', 'true ', 'TRUE', './true', fixture('show-start').slice(0, -1)]) {
      const error = thrownBy(() => manager.spawnProcess({ command }))
      expect(error).toBeInstanceOf(Error)
      expect(error.code).toBe('ERR_COMMAND_NOT_ALLOWED')
      expect(error.message).toContain(command.slice(0, 40))
      expect(error.message).toContain('allowedCommands')
    }
  })

  test('[] lets nothing through', () => {
    expect(thrownBy(() => makeManager({ allowedCommands: [] }).spawnProcess({ command: 'true' })).code).toBe('ERR_COMMAND_NOT_ALLOWED')
  })

  test('is copied', () => {
    const allowedCommands = ['true']
    const manager = makeManager({ allowedCommands })
    allowedCommands.push('false')
    expect(thrownBy(() => manager.spawnProcess({ command: 'false' })).code).toBe('ERR_COMMAND_NOT_ALLOWED')
  })

  test.each([['true'], [null], [[3]], [{}], [true]])('%p is refused', allowedCommands => {
    const error = thrownBy(() => makeManager({ allowedCommands }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain('options.allowedCommands')
  })
})

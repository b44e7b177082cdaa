'use strict'

// What "the environment of the host" is. Under Jest process.env is an object of
// the sandbox; a host of its own has that of the operating system.

const { runHost } = require('../support/host')

// Runs in the host: the env of a child, as raw bytes in latin1.
const spawnEnv = `(manager, fixture) => new Promise(resolve => {
  let text = ''
  manager.on('stdout', ({ data }) => { text += data })
  manager.once('exit', () => {
    manager.removeAllListeners('stdout')
    resolve(text.split('\\n').filter(line => line.startsWith('env ')).map(line => line.slice(4)))
  })
  manager.spawnProcess({ command: fixture('show-start'), encoding: 'latin1' })
})`

test('of the main thread: changes of process.env count at once', async () => {
  const host = await runHost(async ({ ProcessManager, fixture, print }, source) => {
    const spawnEnv = eval(source)
    const manager = new ProcessManager()
    const before = await spawnEnv(manager, fixture)
    print(before.sort().join('\n') === Object.entries(process.env).map(([name, value]) => `${name}=${value}`).sort().join('\n'))
    process.env.HOST_ENV_NEW = 'new'
    process.env.HOST_ENV_EMPTY = ''
    delete process.env.HOST_ENV_OLD
    const after = await spawnEnv(manager, fixture)
    print([after.includes('HOST_ENV_NEW=new'), after.includes('HOST_ENV_EMPTY='), after.some(line => line.startsWith('HOST_ENV_OLD'))])
    print(after.length - before.length)
    print(Object.keys(process.env).filter(name => name.includes('probe')))
    await manager.cleanup()
  }, { args: [spawnEnv], env: { HOST_ENV_OLD: 'old' } })
  expect(host).toMatchObject({ code: 0, stderr: '', printed: [true, [true, true, false], 1, []] })
})

test('of the main thread: bytes that are no UTF-8 arrive as they are', async () => {
  const host = await runHost(async ({ ProcessManager, fixture, print }, source) => {
    const manager = new ProcessManager()
    const env = await eval(source)(manager, fixture)
    print(env.find(line => line.startsWith('HOST_ENV_RAW=')))
    await manager.cleanup()
  }, { args: [spawnEnv], wrap: ['sh', '-c', 'HOST_ENV_RAW=$(printf "a\\377b") exec "$@"', 'sh'] })
  expect(host).toMatchObject({ code: 0, stderr: '', printed: ['HOST_ENV_RAW=a\u00ffb'] })
})

test.each([['a plain object', 'value => value'], ['a frozen object', 'value => Object.freeze(value)']])(
  'is %s that somebody put in its place', async (_, wrap) => {
    const host = await runHost(async ({ ProcessManager, fixture, print }, source, wrap) => {
      const manager = new ProcessManager()
      const real = process.env
      process.env = eval(wrap)({ HOST_ENV_OURS: 'ours' })
      print((await eval(source)(manager, fixture)).filter(line => !line.startsWith('LD_PRELOAD=')))
      process.env = real
      print((await eval(source)(manager, fixture)).includes('HOST_ENV_OURS=ours'))
      await manager.cleanup()
    }, { args: [spawnEnv, wrap] })
    expect(host).toMatchObject({ code: 0, stderr: '', printed: [['HOST_ENV_OURS=ours'], false] })
  })

test('of a worker: its own copy', async () => {
  const host = await runHost(async ({ fixture, print, root }, source) => {
    const { Worker } = require('node:worker_threads')
    const worker = new Worker(`
      const { parentPort } = require('node:worker_threads')
      const ProcessManager = require(${JSON.stringify(root)} + '/lib/process-manager.js')
      const fixture = name => ${JSON.stringify(root)} + '/build/fixtures/' + name
      const manager = new ProcessManager()
      process.env.HOST_ENV_WORKER = 'worker'
      ;(${source})(manager, fixture).then(async env => {
        parentPort.postMessage(env.filter(line => line.startsWith('HOST_ENV')).sort())
        await manager.cleanup()
      })`, { eval: true })
    worker.on('message', print)
    await new Promise(resolve => worker.on('exit', resolve))
    print(process.env.HOST_ENV_WORKER === undefined && typeof fixture('x') === 'string')
  }, { args: [spawnEnv], env: { HOST_ENV_PARENT: 'parent' } })
  expect(host).toMatchObject({ code: 0, stderr: '', printed: [['HOST_ENV_PARENT=parent', 'HOST_ENV_WORKER=worker'], true] })
})

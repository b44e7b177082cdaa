'use strict'

// Worker threads that end, at any step of a manager's life.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { runHost } = require('../support/host')

/** Runs `steps` in workers of a host, each ended `times` times as soon as it says so. */
const hostOfWorkers = async ({ root, print }, source, times) => {
  const { Worker } = require('node:worker_threads')
  const prelude = `
    const { parentPort } = require('node:worker_threads')
    const ProcessManager = require(${JSON.stringify(root + '/lib/process-manager.js')})
    const fixture = name => ${JSON.stringify(root)} + '/build/fixtures/' + name
    const now = () => parentPort.postMessage('now')
  `
  const codes = []
  for (let i = 0; i < times; i++) {
    const worker = new Worker(prelude + source, { eval: true })
    const gone = new Promise(resolve => worker.once('exit', resolve))
    worker.on('error', error => print(`error ${error.message}`))
    await new Promise(resolve => { worker.once('message', resolve); worker.once('exit', resolve) })
    worker.terminate()
    codes.push(await gone)
  }
  print(codes.every(code => code === 0 || code === 1))
}

const logFile = path.join(os.tmpdir(), `pm-worker-${process.pid}.log`)
afterAll(() => fs.rmSync(logFile, { force: true }))

const start = name => `manager.spawnProcess({ command: fixture('${name}') })`
const steps = {
  'a new manager': 'const manager = new ProcessManager(); now()',
  'right after a spawn': `const manager = new ProcessManager(); ${start('say-ready')}; now(); for (;;);`,
  'a living child': `const manager = new ProcessManager(); ${start('say-ready')}; manager.on('stdout', now)`,
  'in a listener': `const manager = new ProcessManager(); ${start('flood')};
    manager.spawnProcess({ command: fixture('flood'), args: ['100000000', '10'] }); manager.on('line', now)`,
  'during a stop': `const manager = new ProcessManager(); const id = ${start('ignore-term')};
    manager.once('stdout', () => { manager.stopProcess(id, Infinity); setTimeout(now, 2) })`,
  'during a wait for a restart': `const manager = new ProcessManager();
    manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true }); manager.on('backoff', now)`,
  'during a restart': `const manager = new ProcessManager(); const id = ${start('slow-term')};
    manager.on('spawn', () => { manager.restartProcess(id); setImmediate(now) })`,
  'with stdin waiting': `const manager = new ProcessManager(); const id = ${start('never-read-stdin')};
    manager.writeStdin(id, Buffer.alloc(1e6)); now()`,
  'during a cleanup': `const manager = new ProcessManager(); ${start('ignore-term')};
    manager.once('stdout', () => { manager.cleanup(); setImmediate(now) })`,
  'after a cleanup': `const manager = new ProcessManager(); ${start('say-ready')};
    manager.once('stdout', async () => { await manager.cleanup(); now() })`,
  'with a failing command': `const manager = new ProcessManager(); manager.spawnProcess({ command: '/none' });
    manager.on('error', now)`,
  'with a private directory': `const manager = new ProcessManager({ privateWorkingDir: true });
    ${start('say-ready')}; manager.on('stdout', now)`,
  'while a thread makes rounds': `const manager = new ProcessManager({ monitorInterval: 3, metricsHistory: 5 });
    for (let i = 0; i < 18; i++) ${start('say-ready')};
    manager.on('metrics', event => { if (Object.keys(event.processes).length === 18) now() })`,
  'while a log file is written': `const manager = new ProcessManager();
    const logFile = { path: ${JSON.stringify(logFile)}, maxBytes: 65536, maxFiles: 1 };
    const id = manager.spawnProcess({ command: fixture('flood'), args: ['100000000', '80'], logFile });
    manager.followLogs(id).next().then(now)`,
  'with messages on both ways': `const manager = new ProcessManager({ messages: 'json' });
    const id = manager.spawnProcess({ command: fixture('echo-stdin') });
    for (let i = 0; i < 50; i++) manager.sendMessage(id, { text: 'x'.repeat(10000) });
    manager.on('message', ({ message }) => { manager.sendMessage(id, message); now() })`,
  'with a follower that waits': `const manager = new ProcessManager(); const id = ${start('never-read-stdin')};
    const follower = manager.followLogs(id); follower.next().then(() => { follower.next(); setImmediate(now) })`,
  'with a paused flood': `const manager = new ProcessManager();
    const id = manager.spawnProcess({ command: fixture('flood'), args: ['100000000', '80'] });
    manager.once('stdout', () => { manager.pauseOutput(id); setImmediate(now) })`,
  'with five managers': `for (let i = 0; i < 5; i++) { const manager = new ProcessManager(); ${start('say-ready')} } now()`
}

test.each(Object.keys(steps))('a worker terminated: %s', async step => {
  const host = await runHost(hostOfWorkers, { args: [steps[step], 20] })
  expect(host).toMatchObject({ code: 0, signal: null, stderr: '', printed: [true] })
  await host.survivors()
})

test.each([
  ['process.exit in the worker', `const manager = new ProcessManager(); ${start('say-ready')};
    manager.on('stdout', () => process.exit(1))`],
  ['an uncaught exception in the worker', `const manager = new ProcessManager(); ${start('say-ready')};
    manager.on('stdout', () => { throw new Error('x') })`],
  ['the worker runs out of work with unref', `const manager = new ProcessManager().unref(); ${start('say-ready')}`],
  ['the worker waits for its child', `const manager = new ProcessManager();
    manager.spawnProcess({ command: fixture('exit-with'), args: ['0', '20'] })`]
])('%s', async (_, source) => {
  const host = await runHost(async ({ root, print }, source) => {
    const { Worker } = require('node:worker_threads')
    const prelude = `const ProcessManager = require(${JSON.stringify(root + '/lib/process-manager.js')})
      const fixture = name => ${JSON.stringify(root)} + '/build/fixtures/' + name\n`
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(prelude + source, { eval: true })
      worker.on('error', () => {})
      await new Promise(resolve => worker.once('exit', resolve))
    }
    print('done')
    require('node:child_process').execFileSync('true')
  }, { args: [source] })
  expect(host).toMatchObject({ code: 0, signal: null, stderr: '', printed: ['done'] })
  await host.survivors()
})

test('a worker ends its own processes only', async () => {
  const host = await runHost(async ({ ProcessManager, fixture, root, print, ready }) => {
    const { Worker } = require('node:worker_threads')
    const manager = new ProcessManager()
    const id = manager.spawnProcess({ command: fixture('say-ready') })
    await ready(manager, id)
    const worker = new Worker(`
      const ProcessManager = require(${JSON.stringify(root + '/lib/process-manager.js')})
      const manager = new ProcessManager()
      manager.spawnProcess({ command: ${JSON.stringify(fixture('say-ready'))} })
      manager.on('stdout', () => require('node:worker_threads').parentPort.postMessage(manager.getProcessStatus('proc_1000').pid))
    `, { eval: true })
    const pid = await new Promise(resolve => worker.once('message', resolve))
    await worker.terminate()
    const isAlive = pid => {
      try {
        return !/\) [ZX]/.test(require('node:fs').readFileSync(`/proc/${pid}/stat`, 'latin1'))
      } catch {
        return false
      }
    }
    print([isAlive(pid), isAlive(manager.getProcessStatus(id).pid)])
    await manager.cleanup()
  })
  expect(host).toMatchObject({ code: 0, stderr: '', printed: [[false, true]] })
  await host.survivors()
})

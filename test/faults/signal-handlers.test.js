'use strict'

// The manager has no part in the signals of its host: no listener, no handler, no mask.

const { runHost } = require('../support/host')
const { portable } = require('../support/manager')

/* Before anything of the package is loaded. */
const first = "import fs from 'node:fs'; globalThis.statusAtFirst = fs.readFileSync('/proc/self/status', 'latin1')"

/** Prints what becomes of a host's signals in a manager's life. */
const hostThatDoesAll = async ({ ProcessManager, root, fixture, print, ready }, containment) => {
  const fs = require('node:fs')
  const { Worker } = require('node:worker_threads')
  const signals = Object.keys(require('node:os').constants.signals)
  const statusOf = pid => fs.readFileSync(`/proc/${pid}/status`, 'latin1')
  const parentOf = pid => Number(/^PPid:\s*(\d+)$/m.exec(statusOf(pid))[1])
  const masksOf = status => Object.fromEntries(status.match(/^Sig(Blk|Ign|Cgt):.*$/gm).map(line => line.split(/:\s*/)))
  const manager = new ProcessManager({ containment, restartDelay: 1 })
  const comes = event => new Promise(resolve => manager.once(event, resolve))
  const start = async name => {
    const id = manager.spawnProcess({ command: fixture(name) })
    await ready(manager, id)
    return id
  }
  const steps = {
    'a spawn': () => start('say-ready'),
    'a command that is not there': () => { manager.spawnProcess({ command: '/none' }); return comes('error') },
    'a restart': async () => {
      manager.spawnProcess({ command: fixture('exit-with'), args: ['1'], autoRestart: true, maxRestarts: 1 })
      await comes('restart')
      await comes('error')
    },
    signals: async () => {
      const id = await start('say-ready')
      manager.signalProcess(id, 'SIGWINCH')
      manager.signalProcess(id, 'SIGUSR2', { tree: true })
      await comes('exit')
    },
    'a stop': async () => manager.stopProcess(await start('say-ready')),
    'a stop by SIGKILL': async () => manager.stopProcess(await start('ignore-term'), 50),
    'the loss of a keeper': async () => {
      const { pid } = manager.getProcessStatus(await start('say-ready'))
      const keeper = parentOf(pid)
      const exit = comes('exit')
      process.kill(keeper === process.pid ? pid : keeper, 'SIGKILL')
      await exit
    },
    'a worker': () => new Promise(resolve => {
      const worker = new Worker(`
        const manager = new (require('${root}/lib/process-manager.js'))({ containment: '${containment}' })
        manager.spawnProcess({ command: '${fixture('exit-on-eof')}' })
        manager.once('stdout', () => process.exit())`, { eval: true })
      worker.once('exit', resolve)
    }),
    'the cleanup': () => manager.cleanup()
  }
  manager.on('error', () => {})
  print(masksOf(globalThis.statusAtFirst))
  for (const [step, act] of [['loading', () => {}], ...Object.entries(steps)]) {
    await act()
    const listened = signals.filter(name => process.listenerCount(name) > 0)
    print({ step, listened, masks: masksOf(statusOf('self')) })
  }
  print(process.listenerCount('exit'))
}

/* libuv catches SIGCHLD where it has children, which it has on the portable backend only. */
function withoutSIGCHLD ({ SigCgt, ...rest }) {
  return portable ? { ...rest, SigCgt: (BigInt(`0x${SigCgt}`) & ~(1n << 16n)).toString(16).padStart(16, '0') } : { ...rest, SigCgt }
}

test.each([['tree'], ['nested'], ['group'], ['none']])('a host has the signals that it had (%s)', async containment => {
  const host = await runHost(hostThatDoesAll, {
    args: [containment], nodeArgs: [`--import=data:text/javascript,${encodeURIComponent(first)}`]
  })
  expect(host).toMatchObject({ code: 0, signal: null, stderr: '' })
  const masks = host.printed.shift()
  const exitListeners = host.printed.pop()
  expect(Object.keys(masks)).toEqual(['SigBlk', 'SigIgn', 'SigCgt'])
  expect(host.printed).toHaveLength(10)
  for (const seen of host.printed) {
    expect({ ...seen, masks: withoutSIGCHLD(seen.masks) }).toEqual({ step: seen.step, listened: [], masks })
  }
  expect(exitListeners).toBe(0)
  await host.survivors()
})

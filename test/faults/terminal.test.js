'use strict'

// A host in a terminal: Ctrl+C there is the host's affair, not the processes'.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { fixture } = require('../support/children')
const { runHost } = require('../support/host')
const { inEffect, portable } = require('../support/manager')

const { signals } = os.constants
const inTerminal = { wrap: [fixture('in-terminal')], stdin: 'pipe' }
const press = { 'Ctrl+C': stdin => stdin.write('\x03'), 'its close button': stdin => stdin.end() }

/* uv_spawn has neither keepers nor a parent-death signal. */
const withKeeper = portable ? test.skip : test

/** Says what a managed process and one of child_process got of a SIGINT that the host has heard. */
const hostThatHandles = async ({ ProcessManager, fixture, print }, containment, args) => {
  const manager = new ProcessManager({ containment })
  let told = ''
  const tells = async (...texts) => {
    while (!texts.every(text => told.includes(`${text}\n`))) await new Promise(resolve => manager.once('stdout', resolve))
  }
  manager.on('stdout', ({ data }) => { told += data })
  const id = manager.spawnProcess({ command: fixture('tell-signals'), args })
  await tells('ready')
  const plain = require('node:child_process').spawn(fixture('tell-signals'), ['2'], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise(resolve => plain.stdout.once('data', resolve))
  const plainEnd = new Promise(resolve => plain.once('exit', resolve))
  const interrupted = new Promise(resolve => process.once('SIGINT', resolve))
  print('ready')
  await interrupted
  const plainCode = await plainEnd
  /* Of signals that wait, the one with the lower number comes first: SIGINT would have been told. */
  manager.signalProcess(id, 'SIGUSR1', { tree: true })
  await tells(...args.map((_, i) => `${i === 0 ? 'command' : 'child'} 10`))
  print({ plainCode, told, status: manager.getProcessStatus(id) })
  print(await manager.stopProcess(id))
}

test.each([['tree'], ['nested'], ['group'], ['none']])(
  'a handler of the host hears Ctrl+C, and no managed process does (%s)', async containment => {
    const last = String(signals.SIGTERM)
    /* What 'none' does not reach it does not end, either. */
    const args = containment === 'none' ? [last] : [last, 'child']
    const host = await runHost(hostThatHandles, {
      ...inTerminal,
      args: [containment, args],
      onLine: (line, { stdin }) => line === 'ready' && press['Ctrl+C'](stdin)
    })
    expect(host).toMatchObject({ code: 0, signal: null, stderr: '' })
    const [, { plainCode, told, status }, stopped] = host.printed
    expect(plainCode).toBe(0)
    expect(told).not.toMatch(/^(command|child) 2$/m)
    expect(status).toMatchObject({ state: 'running', containment: inEffect(containment) })
    expect(stopped).toBe(true)
    await host.survivors()
  })

/** Lives until a signal ends it; what the signals of its tree are is written to a file. */
const hostThatDies = async ({ ProcessManager, fixture, print, ready }, containment, file) => {
  const fs = require('node:fs')
  const manager = new ProcessManager({ containment })
  manager.spawnProcess({ command: 'sh', args: ['-c', 'exec "$0" 15 child > "$1"', fixture('tell-signals'), file] })
  const deaf = manager.spawnProcess({ command: fixture('ignore-term') })
  await ready(manager, deaf)
  while (!fs.existsSync(file) || !fs.readFileSync(file, 'latin1').includes('ready')) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  print('ready')
}

describe('a host without a handler is ended by its terminal, and its trees by their keepers', () => {
  let directory

  beforeEach(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'terminal-test-')) })
  afterEach(() => fs.rmSync(directory, { recursive: true }))

  withKeeper.each([
    ['Ctrl+C', 'SIGINT', 'tree'], ['Ctrl+C', 'SIGINT', 'nested'], ['its close button', 'SIGHUP', 'tree']
  ])('%s: %s (%s)', async (what, signal, containment) => {
    const file = path.join(directory, 'told')
    const host = await runHost(hostThatDies, {
      ...inTerminal, args: [containment, file], onLine: (_, { stdin }) => press[what](stdin)
    })
    expect(host).toMatchObject({ code: null, signal, stderr: '', printed: ['ready'] })
    await host.survivors()
    const told = fs.readFileSync(file, 'latin1').split('\n')
    expect(told).toEqual(expect.arrayContaining(['command 15', 'child 15']))
    expect(told.filter(line => new RegExp(` (${signals[signal]})$`).test(line))).toEqual([])
  })
})

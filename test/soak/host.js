'use strict'

// A host that starts, stops, restarts and signals processes at random until it is
// told to end, and says what it does and hears, one line of JSON each.

const fs = require('node:fs')
const { performance } = require('node:perf_hooks')
const ProcessManager = require('../../lib/process-manager')
const { survivorsWith } = require('../setup/survivors')
const { countDescriptors, fixture, zombies } = require('../support/children')
const { isAlive } = require('./processes')
const { Random } = require('./random')
const { shapes, shapesUpTo, modes } = require('./shapes')

const MOST = 8
const LONGEST_PROMISE = 15000
const LONGEST_RESTART = 5000
const GRACE = 300

const setting = JSON.parse(process.argv[2])
const random = new Random(setting.seed)
const say = value => fs.writeSync(1, `${JSON.stringify(value)}\n`)
const wrong = (kind, text) => say({ wrong: kind, text })
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/* A signal of ours must not change what a command is expected to do but end. */
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGKILL', 'SIGCONT']

class Soak {
  manager = new ProcessManager({ stopTimeout: 200, hostExitTimeout: GRACE, restartDelay: 20, maxRestartDelay: 60, maxRestarts: 1e6, maxProcesses: 200, monitorInterval: 300 })
  #records = new Map()
  #pending = new Map()
  #number = 0
  #isEnding = false

  constructor () {
    this.manager.on('spawn', ({ processId, pid }) => this.#onSpawn(this.#records.get(processId), pid))
    this.manager.on('exit', event => this.#onExit(this.#records.get(event.processId), event))
    this.manager.on('error', ({ processId, error }) => this.#onError(this.#records.get(processId), error))
    this.manager.on('stdout', () => {})
  }

  /* ---- what it hears ---- */

  #onSpawn (record, pid) {
    if (record.pid) wrong('status', `${record.id}: spawn ${pid} before the exit of ${record.pid}`)
    record.pid = pid
    record.due = undefined
    record.isLost = false
    say({ spawn: pid, id: record.id, shape: record.shape, containment: this.manager.getProcessStatus(record.id).containment })
  }

  #onExit (record, { pid, code, signal, requested, resourceUsage }) {
    if (record.pid !== pid) wrong('status', `${record.id}: exit of ${pid} while ${record.pid || 'none'} runs`)
    record.pid = 0
    const known = code !== null || signal !== null
    if (known !== (resourceUsage !== null)) wrong('status', `${record.id}: ${pid} ended by ${code} ${signal} with the usage ${JSON.stringify(resourceUsage)}`)
    say({ exit: pid, code, signal, requested })
    if (!requested && record.auto && (code !== 0 || record.isLost) && !this.#isEnding) record.due = performance.now() + LONGEST_RESTART
  }

  #onError (record, { code, syscall, message }) {
    if (code === 'ERR_KEEPER_LOST') {
      record.isLost = record.pid > 0
      say({ lost: Number(/pid (\d+)/.exec(message)[1]), pid: record.pid })
      return
    }
    say({ refused: code, syscall, shape: record.shape })
    if (record.due) record.due = performance.now() + LONGEST_RESTART
  }

  /* ---- what it does ---- */

  #config () {
    const containment = random.chance(0.7) ? 'tree' : 'nested'
    const shape = random.pick(shapesUpTo(containment === 'tree' ? modes[setting.mode].tree : 'any'))
    const id = `${shape}-${++this.#number}`
    const auto = random.chance(0.5)
    const [program, ...args] = shapes[shape].line
    this.#records.set(id, { id, shape, auto, pid: 0, busy: 0, env: `${setting.cookie}-${id}` })
    return {
      id,
      command: fixture(program),
      args,
      containment,
      autoRestart: auto,
      eofTimeout: random.chance(0.3) ? 30 : 0,
      stopSignal: { signal: 'SIGTERM', to: random.chance(0.3) ? 'command' : 'tree' },
      env: { PM_SOAK_ID: `${setting.cookie}-${id}`, PM_TREE_LIFELINE: setting.lifeline }
    }
  }

  #spawn () {
    this.manager.spawnProcess(this.#config())
  }

  /* What is expected of an end depends on what had been asked before. */
  #ask (record, what) {
    const { pid } = this.manager.getProcessStatus(record.id)
    if (pid) say({ asked: what, pid })
  }

  async #stop (record) {
    this.#ask(record, 'stop')
    record.due = undefined
    const stopped = await this.#await(record, 'stop', this.manager.stopProcess(record.id, random.chance(0.3) ? 0 : undefined))
    if (stopped !== true) wrong('status', `${record.id}: stopProcess answered ${stopped}`)
    if (record.busy > 0 || this.manager.getProcessStatus(record.id).status === 'running') return
    const left = survivorsWith('PM_SOAK_ID', record.env)
    if (left.length > 0) wrong('survivors', `${record.id}: stopped, but ${left.join(', ')}`)
  }

  async #restart (record) {
    this.#ask(record, 'stop')
    record.due = undefined
    await this.#await(record, 'restart', this.manager.restartProcess(record.id))
  }

  async #await (record, what, promise) {
    const token = { what: `${what} of ${record.id}`, since: performance.now() }
    this.#pending.set(token, token)
    record.busy++
    const answer = await promise
    record.busy--
    this.#pending.delete(token)
    return answer
  }

  #signal (record) {
    const signal = random.pick(signals)
    this.#ask(record, signal)
    this.manager.signalProcess(record.id, signal, { tree: random.chance(0.5) })
  }

  #closeStdin (record) {
    this.#ask(record, 'eof')
    this.manager.closeStdin(record.id)
  }

  #live () {
    return this.manager.listProcesses().filter(({ state }) => !['exited', 'failed'].includes(state))
  }

  act () {
    const kind = random.weighed({ spawn: 10, stop: 3, restart: 3, signal: 2, eof: 1, twice: 1, remove: 6 })
    const record = random.pick([...this.#records.values()].filter(({ isRemoved }) => !isRemoved))
    if (kind === 'spawn' || !record) {
      if (this.#live().length >= MOST) return
      // The driver lays an ambush first, and says when.
      if (random.chance(0.5)) say({ ready: true })
      else this.#spawn()
      return
    }
    if (kind === 'stop') this.#stop(record)
    if (kind === 'restart') this.#restart(record)
    if (kind === 'signal') this.#signal(record)
    if (kind === 'eof') this.#closeStdin(record)
    if (kind === 'twice') {
      if (random.chance(0.5)) this.#stopQuietly(record)
      this.#restart(record)
      if (random.chance(0.5)) this.#stopQuietly(record)
    }
    if (kind === 'remove' && record.busy === 0 && !record.pid && this.manager.removeProcess(record.id)) record.isRemoved = true
  }

  /* Of a stop and a restart under way the later counts: only that both settle is known. */
  #stopQuietly (record) {
    this.#ask(record, 'stop')
    record.due = undefined
    this.#await(record, 'stop', this.manager.stopProcess(record.id))
  }

  obey (order) {
    if (order === 'go' && !this.#isEnding) this.#spawn()
    if (order === 'end') this.#isEnding = true
  }

  /* ---- what has to hold ---- */

  #lookForHangs () {
    const now = performance.now()
    for (const token of this.#pending.values()) {
      if (now - token.since < LONGEST_PROMISE) continue
      wrong('hangs', `${token.what} has not settled: ${JSON.stringify(this.manager.getProcessStatus(token.what.split(' of ')[1]))}`)
      this.#pending.delete(token)
    }
    for (const record of this.#records.values()) {
      if (!(record.due < now) || record.busy > 0) continue
      wrong('hangs', `${record.id} was not restarted: ${JSON.stringify(this.manager.getProcessStatus(record.id))}`)
      record.due = undefined
    }
  }

  async run () {
    let lookAt = 0
    while (!this.#isEnding) {
      this.act()
      await sleep(random.between(1, 30))
      if (performance.now() < lookAt) continue
      lookAt = performance.now() + 250
      this.#lookForHangs()
    }
    while (this.#pending.size > 0) {
      this.#lookForHangs()
      await sleep(10)
    }
  }

  /* Who is said to run does, or that is about to change. */
  async lookAtPids () {
    const nameOf = ({ id, pid, status }) => `${id} ${pid} ${status}`
    const dead = () => this.manager.listProcesses().filter(({ pid, status }) => (pid > 0 && !isAlive(pid)) || (status === 'running') !== (pid > 0)).map(nameOf)
    let lasting = dead()
    for (let i = 0; i < 300 && lasting.length > 0; i++) {
      await sleep(10)
      const now = dead()
      lasting = lasting.filter(name => now.includes(name))
    }
    for (const name of lasting) wrong('status', `no such process: ${name}`)
  }

  async end () {
    for (const { id, pid } of this.manager.listProcesses()) if (pid) this.#ask(this.#records.get(id), 'stop')
    const stops = this.manager.stopAll()
    await this.#await({ id: 'all', busy: 0 }, 'stop', Promise.race([stops, sleep(LONGEST_PROMISE).then(() => wrong('hangs', 'stopAll'))]))
    for (const row of this.#live()) wrong('status', `${row.id} lives on after stopAll: ${JSON.stringify(row)}`)
    for (const { id, pid } of this.#records.values()) if (pid) wrong('status', `${id}: no exit of ${pid}`)
    await Promise.race([this.manager.cleanup(), sleep(LONGEST_PROMISE).then(() => wrong('hangs', 'cleanup'))])
    const left = survivorsWith('PM_SOAK_COOKIE', setting.cookie).filter(text => Number.parseInt(text, 10) !== process.pid)
    if (left.length > 0) wrong('survivors', `after cleanup: ${left.join(', ')}`)
  }
}

/* Whatever Node opens at its first use is open before it is counted. */
async function warmUp () {
  const manager = new ProcessManager()
  manager.spawnProcess({ command: fixture('exit-with'), args: ['0'] })
  await new Promise(resolve => manager.once('exit', resolve))
  await manager.cleanup()
}

async function main () {
  await warmUp()
  process.stdin.setEncoding('utf8').on('end', () => process.exit(1)).resume()
  const descriptors = countDescriptors()
  const soak = new Soak()
  process.stdin.on('data', text => text.split('\n').filter(Boolean).forEach(order => soak.obey(order)))
  say({ begun: process.pid })
  await soak.run()
  await soak.lookAtPids()
  await soak.end()
  if (countDescriptors() !== descriptors) wrong('status', `${countDescriptors()} descriptors, ${descriptors} at the start`)
  if (zombies().length > 0) wrong('status', `zombies: ${zombies()}`)
  say({ bye: true })
  process.exit(0)
}

process.on('uncaughtException', error => {
  wrong('status', `exception: ${error.stack}`)
  process.exit(1)
})
main()

'use strict'

// The life of one host, and what the driver does to it.

const { spawn } = require('node:child_process')
const { randomUUID } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const readline = require('node:readline')
const { performance } = require('node:perf_hooks')
const { Lifeline } = require('../orphans/lifeline')
const { survivorsWith } = require('../setup/survivors')
const { fixture } = require('../support/children')
const { Account } = require('./account')
const { look, isAlive, keepersToKill, kept, keepersLeft, isAnyInSession } = require('./processes')
const { modes } = require('./shapes')

// Of the host's option, what the outer of two keepers gives the inner one, and a busy machine.
const LONGEST_END = 300 + 500 + 3000
const LONGEST_GOODBYE = 60000
const LONGEST_STOP = 300
const LOOKED_BACK = 400
const MOST_LOOKS = 100

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const pidOf = text => Number.parseInt(text, 10)

function send (pid, signal) {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error.code === 'ESRCH') return false
    throw error
  }
}

class Generation {
  account = new Account()
  #random
  #tally
  #mode
  #seed
  #host
  #killer
  #lifeline
  #cookie = randomUUID()
  #ended
  #hasBegun = false
  #isToldToEnd = false
  #wasKilled = false
  #saidBye = false
  #ambush
  #lostSessions = new Set()
  #stopped = new Set()
  #log = []
  #stderr = ''

  /** tally: { killed (kind), ended (ms) }, told of what happens. */
  constructor (random, directory, tally) {
    this.#random = random
    this.#tally = tally
    this.#seed = random.seed()
    this.#mode = random.pick(Object.keys(modes))
    this.#lifeline = Lifeline.make(path.join(directory, this.#cookie))
    const setting = { seed: this.#seed, mode: this.#mode, cookie: this.#cookie, lifeline: this.#lifeline.path }
    this.#host = spawn(process.execPath, [path.join(__dirname, 'host.js'), JSON.stringify(setting)],
      { env: { ...process.env, PM_SOAK_COOKIE: this.#cookie }, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#ended = new Promise(resolve => this.#host.on('close', (code, signal) => resolve({ code, signal })))
    this.#host.stdin.on('error', () => {})
    this.#host.stderr.setEncoding('utf8').on('data', text => { this.#stderr += text })
    this.#lines(this.#host, line => this.#hear(line))
    this.#killer = spawn(fixture('kill-newborn'), [String(this.#host.pid)], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#killer.stdin.on('error', () => {})
    this.#lines(this.#killer, line => this.#hearKiller(line))
  }

  #lines ({ stdout }, act) {
    readline.createInterface({ input: stdout }).on('line', act)
  }

  #note (text) {
    this.#log.push(`${Math.round(performance.now())} ${text}`)
    if (this.#log.length > LOOKED_BACK) this.#log.shift()
  }

  #hear (line) {
    this.#note(line)
    let said
    try {
      said = JSON.parse(line)
    } catch {
      // It was killed while it spoke.
      if (!this.#wasKilled) this.account.wrong.push({ kind: 'status', text: `the host said: ${line}` })
      return
    }
    if (said.begun) this.#hasBegun = true
    else if (said.ready) this.#layAmbush()
    else if (said.bye) this.#saidBye = true
    else this.account.hear(said)
  }

  #tell (order) {
    this.#host.stdin.write(`${order}\n`)
  }

  /* ---- what is done to a process that is just being started ---- */

  #layAmbush () {
    if (this.#ambush || this.#isToldToEnd || this.#wasKilled) {
      this.#tell('go')
      return
    }
    const { keepers } = modes[this.#mode]
    const both = this.#mode === 'both'
    const levels = both ? { 0: 1, 1: 3, 2: 3, 3: 2 } : keepers ? { 1: 3, 2: 3, 3: 2 } : { 0: 1, 2: 3, 3: 2 }
    const level = Number(this.#random.weighed(levels))
    const mayKillHost = this.#mode !== 'keepers' && this.#random.chance(0.15)
    const whom = level === 0 ? 'host' : mayKillHost ? this.#random.pick(['host', 'host,it', 'it,host']) : 'it'
    const us = level === 0 ? this.#random.between(0, 4000) : this.#random.anyScale(3000)
    this.#ambush = { level, whom }
    if (whom.includes('host')) this.#wasKilled = true
    this.#killer.stdin.write(`${level} ${us} ${whom}\n`)
    this.#note(`ambush: ${level} ${us} ${whom}`)
  }

  #hearKiller (line) {
    this.#note(`killer: ${line}`)
    if (line === 'armed') {
      this.#tell('go')
      return
    }
    const { level, whom } = this.#ambush
    const [first, second, third, killed] = line.split(' ').map(Number)
    this.#ambush = undefined
    if (!killed) {
      if (!this.#host.signalCode && whom.includes('host')) this.#wasKilled = false
      this.#tally.missed++
      return
    }
    if (whom.includes('it')) {
      this.account.ambush([this.#host.pid, first, second, third], level)
      if (level === 1) this.#lostSessions.add(first)
      this.#tally.killed('newborn')
    }
    if (whom.includes('host')) this.#tally.killed('host')
  }

  /* ---- what is done at any other moment ---- */

  #killCommand () {
    const pid = this.#random.pick(this.account.running())
    if (pid === undefined || !isAlive(pid)) return
    this.#note(`SIGKILL: command ${pid}`)
    this.account.kill(pid)
    if (send(pid, 'SIGKILL')) this.#tally.killed('command')
  }

  #killKeeper () {
    // The second of two must live.
    if (!modes[this.#mode].keepers || this.#ambush) return
    const keeper = this.#random.pick(keepersToKill(this.#host.pid))
    if (!keeper) return
    this.#note(`SIGKILL: keeper ${JSON.stringify(keeper)}`)
    this.account.killKeeper(keeper.pid, keeper.outermost)
    if (!keeper.isGuard && keeper.pid === keeper.outermost) this.#lostSessions.add(keeper.pid)
    if (send(keeper.pid, 'SIGKILL')) this.#tally.killed(keeper.isGuard ? 'outer keeper' : keeper.pid === keeper.outermost ? 'keeper' : 'inner keeper')
  }

  #killDescendant () {
    const commands = this.account.running()
    const pid = this.#random.pick(commands.flatMap(command => kept(command)))
    if (pid === undefined || !isAlive(pid)) return
    this.#note(`SIGKILL: descendant ${pid}`)
    if (send(pid, 'SIGKILL')) this.#tally.killed('descendant')
  }

  #isAnyLost () {
    // A link of a chain is easily overlooked.
    for (let i = 0; i < MOST_LOOKS / 5; i++) if (isAnyInSession(this.#lostSessions)) return true
    return false
  }

  /* What only the host can find must be gone before the host is. */
  #killHost () {
    if (this.#isToldToEnd || this.#ambush) return
    if (this.#mode === 'keepers' && this.#isAnyLost()) return
    const signal = this.#random.chance(0.2) ? 'SIGTERM' : 'SIGKILL'
    this.#note(`${signal}: host`)
    this.#wasKilled = true
    if (send(this.#host.pid, signal)) this.#tally.killed('host')
    this.#resume(this.#host.pid)
  }

  #stop () {
    const whose = [this.#host.pid, ...this.account.running(), ...keepersToKill(this.#host.pid).map(({ pid }) => pid)]
    const pid = this.#random.pick(whose)
    if (!look(pid) || this.#stopped.has(pid)) return
    this.#note(`SIGSTOP: ${pid}`)
    if (!send(pid, 'SIGSTOP')) return
    this.#stopped.add(pid)
    this.#tally.stopped++
    setTimeout(() => this.#resume(pid), this.#random.between(1, LONGEST_STOP))
  }

  #resume (pid) {
    if (this.#stopped.delete(pid)) send(pid, 'SIGCONT')
  }

  #act () {
    const acts = {
      command: () => this.#killCommand(),
      keeper: () => this.#killKeeper(),
      descendant: () => this.#killDescendant(),
      stop: () => this.#stop(),
      host: () => this.#killHost()
    }
    acts[this.#random.weighed({ command: 10, keeper: 8, descendant: 3, stop: 3, host: 0.3 })]()
  }

  /* ---- its life ---- */

  /** Answers what was wrong: [{ kind, text }]. */
  async run () {
    const end = performance.now() + this.#random.between(500, 6000)
    const isOver = this.#ended.then(() => true)
    const pause = ms => Promise.race([isOver, sleep(ms)])
    while (!this.#hasBegun) if (await pause(5)) break
    while (performance.now() < end) {
      if (await pause(this.#random.anyScale(150)) || this.#wasKilled) break
      this.#act()
    }
    await this.#finish(pause)
    const { code, signal } = await this.#ended
    const killedAt = performance.now()
    this.#killer.stdin.end()
    for (const pid of this.#stopped) this.#resume(pid)
    if (!this.#wasKilled && (code !== 0 || !this.#saidBye)) this.account.wrong.push({ kind: 'status', text: `the host ended by ${code} ${signal}: ${this.#stderr}` })
    const left = await this.#gone(killedAt + LONGEST_END)
    if (this.#wasKilled) this.#tally.ended(performance.now() - killedAt)
    for (const text of left) this.account.wrong.push({ kind: 'survivors', text: `${text} ${JSON.stringify(look(pidOf(text)))}` })
    this.account.close()
    await this.#clear(left)
    return this.account.wrong
  }

  async #finish (pause) {
    // An ambush that is laid may yet kill the host, or not.
    while (this.#ambush) if (await pause(5)) return
    if (!this.#wasKilled && this.#random.chance(0.5)) this.#killHost()
    if (this.#wasKilled) return
    this.#isToldToEnd = true
    this.#tell('end')
    const deadline = performance.now() + LONGEST_GOODBYE
    while (performance.now() < deadline) {
      if (await pause(this.#random.between(5, 100))) return
      this.#act()
    }
    this.account.wrong.push({ kind: 'hangs', text: 'the host does not end' })
    this.#wasKilled = true
    send(this.#host.pid, 'SIGKILL')
  }

  #survivors () {
    const look = () => [...survivorsWith('PM_SOAK_COOKIE', this.#cookie), ...keepersLeft(this.#host.pid)]
    let texts = look()
    // A link of a chain is easily overlooked.
    for (let i = 0; texts.length === 0 && this.#lifeline.isHeld() && i < MOST_LOOKS; i++) texts = look()
    return texts.length === 0 && this.#lifeline.isHeld() ? ['? holds the lifeline'] : texts
  }

  async #gone (deadline) {
    for (;;) {
      if (!this.#lifeline.isHeld()) {
        const left = this.#survivors()
        if (left.length === 0) return left
      }
      if (performance.now() > deadline) return this.#survivors()
      await sleep(10)
    }
  }

  /* Whoever is left is ended, whatever it takes. */
  async #clear (left) {
    fs.rmSync(this.#lifeline.path, { force: true })
    while (left.length > 0) {
      for (const pid of left.map(pidOf).filter(Boolean)) send(pid, 'SIGKILL')
      await sleep(10)
      left = this.#survivors()
    }
    this.#lifeline.close()
  }

  /** Everything that may explain what was wrong. */
  describe () {
    return `host ${this.#host.pid}, mode '${this.#mode}', seed ${this.#seed}, cookie ${this.#cookie}:\n  ${this.#log.join('\n  ')}\n${this.#stderr}`
  }
}

module.exports = { Generation }

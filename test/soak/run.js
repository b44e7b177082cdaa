'use strict'

/*
 * node test/soak/run.js [--seconds 60 | --kills 10000] [--seed N] [--hosts 3]
 *
 * Hosts start, stop, restart and signal processes at random, and at random moments
 * one of the hosts, keepers, commands and their descendants is killed, in the middle
 * of spawns too. Nothing may be left of a host that has gone; a living one must tell
 * exactly what happened and settle every promise. The choices follow from the seed,
 * their moments do not. Exits with 1 when anything was wrong.
 */

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { performance } = require('node:perf_hooks')
const { parseArgs } = require('node:util')
const compileFixtures = require('../setup/global-setup')
const { Generation } = require('./generation')
const { Random } = require('./random')

const PROGRESS = 10000
const MOST_WRONG = 5

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    kills: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    hosts: { type: 'string', default: '3' }
  }
})
const limit = values.kills === undefined
  ? { seconds: Number(values.seconds), kills: Infinity }
  : { seconds: Infinity, kills: Number(values.kills) }

class Tally {
  kills = {}
  stopped = 0
  missed = 0
  hosts = 0
  spawns = 0
  exits = 0
  lost = 0
  refused = 0
  survivors = 0
  status = 0
  hangs = 0
  slowest = 0

  killed (kind) {
    this.kills[kind] = (this.kills[kind] ?? 0) + 1
  }

  ended (ms) {
    this.slowest = Math.max(this.slowest, ms)
  }

  add (account) {
    for (const name of ['spawns', 'exits', 'lost', 'refused']) this[name] += account[name]
    for (const { kind } of account.wrong) this[kind]++
    this.hosts++
  }

  get allKills () {
    return Object.values(this.kills).reduce((sum, count) => sum + count, 0)
  }

  get allWrong () {
    return this.survivors + this.status + this.hangs
  }

  toString () {
    const kinds = Object.entries(this.kills).map(([kind, count]) => `${kind} ${count}`).join(', ')
    return `${this.allKills} kills (${kinds}), ${this.stopped} times SIGSTOP, ${this.missed} ambushes missed; ` +
      `${this.hosts} hosts, ${this.spawns} spawns, ${this.exits} exits, ${this.lost} keepers lost, ${this.refused} refused; ` +
      `slowest end of a host's trees ${Math.round(this.slowest)} ms; ` +
      `${this.survivors} survivors, ${this.status} wrong statuses, ${this.hangs} hangs`
  }
}

/** One host after the other. */
async function hosts (random, directory, tally, isOver) {
  while (!isOver()) {
    const generation = new Generation(random, directory, tally)
    const wrong = await generation.run()
    tally.add(generation.account)
    for (const { kind, text } of wrong) console.log(`WRONG (${kind}): ${text}`)
    if (wrong.length > 0) console.log(generation.describe())
  }
}

async function main () {
  process.exitCode = 1 // until the end is reached: Node ends with 0 when its loop runs dry
  compileFixtures()
  const random = new Random(Number(values.seed))
  const tally = new Tally()
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'soak-'))
  const end = performance.now() + limit.seconds * 1000
  const isOver = () => performance.now() > end || tally.allKills >= limit.kills || tally.allWrong >= MOST_WRONG
  const timer = setInterval(() => console.log(`${tally}`), PROGRESS)
  console.log(`seed ${values.seed}`)
  try {
    await Promise.all(Array.from({ length: Number(values.hosts) }, () => hosts(new Random(random.seed()), directory, tally, isOver)))
  } finally {
    clearInterval(timer)
    fs.rmSync(directory, { recursive: true, force: true })
  }
  console.log(`${tally}`)
  process.exitCode = tally.allWrong > 0 ? 1 : 0
}

main()

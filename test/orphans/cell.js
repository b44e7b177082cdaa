'use strict'

// One cell of the matrix: a host of its own with one tree, which ends.

const { spawn } = require('node:child_process')
const { randomUUID } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { performance } = require('node:perf_hooks')
const { survivorsWith } = require('../setup/survivors')
const { Lifeline } = require('./lifeline')
const { commandOf } = require('./matrix')

const LONGEST_START = 30000
const LONGEST_END = 20000
const isKeeper = text => /mcp-process-keeper|mcp-keeper/.test(text)
const pidOf = text => Number.parseInt(text, 10)
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** { pid, state, ppid, start } of a process; start tells it from a later one of the same pid. */
function look (pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { pid, state: fields[0], ppid: Number(fields[1]), start: fields[19] }
  } catch {
    return undefined
  }
}

function isAlive ({ pid, start }) {
  const found = look(pid)
  return found !== undefined && found.start === start && !/[ZX]/.test(found.state)
}

/** All that hangs below a process, which need not have the environment of the tree. */
function descendants (pid) {
  const all = fs.readdirSync('/proc').filter(entry => /^\d+$/.test(entry)).map(entry => look(Number(entry))).filter(Boolean)
  const below = parent => all.filter(({ ppid }) => ppid === parent).flatMap(child => [child, ...below(child.pid)])
  return below(pid)
}

/** The processes of one cell: who has the cookie, holds the lifeline, or was seen below the host. */
class Tree {
  #seen = []
  #row

  constructor (row, place) {
    this.#row = row
    this.cookie = randomUUID()
    this.lifeline = Lifeline.make(path.join(place.directory, `lifeline-${this.cookie}`))
    this.env = { ...place.env, PM_TREE_COOKIE: this.cookie, PM_TREE_LIFELINE: this.lifeline.path }
  }

  /** Remembers what is there now; answers how many of it are of the tree. */
  look (host) {
    this.#seen = descendants(host)
    return this.#marked().filter(text => !isKeeper(text)).length
  }

  #marked () {
    return survivorsWith('PM_TREE_COOKIE', this.cookie)
  }

  /** "pid command line" of each that lives. */
  survivors () {
    const marked = this.#marked()
    const pids = new Set(marked.map(pidOf))
    return [...marked, ...this.#seen.filter(each => !pids.has(each.pid) && isAlive(each)).map(({ pid }) => `${pid} (seen before)`)]
  }

  /** What is quick to know comes first. */
  isGone () {
    return !this.lifeline.isHeld() && !this.#seen.some(isAlive) && this.#marked().length === 0
  }

  /** Waits until nobody is left; answers whether that happened in time. */
  async end (limit) {
    const deadline = performance.now() + limit
    while (!this.isGone()) {
      if (performance.now() > deadline) return false
      await sleep(5)
    }
    return true
  }

  /** The survivors. The link of a chain is easily overlooked, and no old acquaintance. */
  count () {
    const found = this.survivors()
    const isNew = text => !this.#seen.some(({ pid }) => pid === pidOf(text))
    return this.#row.isChain && this.lifeline.isHeld() && !found.some(isNew) ? [...found, '? (the next link)'] : found
  }

  /** Kills whoever is left, until nobody is. */
  async kill () {
    const deadline = performance.now() + LONGEST_END
    this.lifeline.cut()
    while (!this.isGone()) {
      for (const pid of this.survivors().map(pidOf)) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch (error) {
          if (error.code !== 'ESRCH') throw error
        }
      }
      if (performance.now() > deadline) throw new Error(`Cannot be killed: ${this.survivors().join(', ')}`)
      await sleep(5)
    }
    this.lifeline.close()
  }
}

/** A host process, and what it says. */
class Host {
  #lines = []
  #waiting = []
  #stderr = ''
  #isOver = false

  constructor ({ node = process.execPath, place, user, hostEnv }, setting) {
    this.child = spawn(node, [place.host, JSON.stringify(setting)], {
      cwd: place.cwd, env: { ...process.env, ...hostEnv }, ...(user !== undefined && { uid: user, gid: user })
    })
    let rest = ''
    this.child.stdout.setEncoding('utf8').on('data', text => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      this.#lines.push(...lines.map(line => JSON.parse(line)))
      this.#serve()
    })
    this.child.stderr.setEncoding('utf8').on('data', text => { this.#stderr += text })
    this.child.stdin.on('error', () => {})
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('exit', (code, signal) => {
        this.#isOver = true
        resolve({ code, signal })
      })
      // The tree may hold stderr, and stdout is read to its end before.
      this.child.stdout.on('close', () => this.#serve())
    })
    this.ended.catch(() => {})
  }

  #serve () {
    while (this.#waiting.length > 0 && (this.#lines.length > 0 || this.#isOver)) {
      const { resolve, reject } = this.#waiting.shift()
      if (this.#lines.length > 0) resolve(this.#lines.shift())
      else reject(new Error('The host ended'))
    }
  }

  /** The next thing that it says. */
  async says (what, limit) {
    const line = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.#serve()
    return this.#inTime(line, what, limit)
  }

  async ends () {
    return this.#inTime(this.ended, 'ended', LONGEST_END)
  }

  async #inTime (promise, what, limit) {
    let timer
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`Not within ${limit ?? LONGEST_END} ms`)), limit ?? LONGEST_END)
    })
    try {
      return await Promise.race([promise, late])
    } catch (cause) {
      throw new Error(`Waited in vain until the host ${what}: ${cause.message}\n${this.#stderr}`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  tell (order) {
    this.child.stdin.write(order)
  }

  async kill () {
    this.child.kill('SIGKILL')
    await this.ends()
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) stream.destroy()
  }
}

/** Ends the host as the cell says; answers what it said of a stop, and when its end began. */
async function endHost (host, end) {
  let begin = performance.now()
  let stop
  if (end.order) host.tell(end.order)
  if (end.order === 'block') await host.says('blocked its loop')
  if (end.order === 'stop') stop = await host.says('stopped the tree')
  if (end.order === 'terminate') await host.says('terminated the worker')
  if (end.signal) {
    begin = performance.now()
    host.child.kill(end.signal)
  }
  if (!end.staysUp) await host.ends()
  return { begin, stop }
}

/**
 * Runs one cell.
 *
 * @param {object} cell row, end
 * @param {object} setting driver: its name; options: for the driver; place: from
 * prepare(); node: another one; user: the uid of the host; hostEnv: more of its
 * environment; limit: ms that the tree has for its end, 10000 if not given
 * @returns {Promise<object>} stood: how many there were; survivors: "pid command
 * line" of each that lived on; ms: from the order to end until all were gone,
 * null if they never were; stop: { stopped, isHeld, left } as seen in the
 * continuation of an explicit stop; containment: what was in effect
 */
async function runCell ({ row, end }, setting) {
  const { place, driver, options, limit = 10000 } = setting
  const tree = new Tree(row, place)
  let host
  try {
    host = new Host(setting, {
      driver: path.join(path.dirname(place.host), 'drivers', driver),
      options: { library: place.library, ...options },
      tree: { ...commandOf(row, place), env: tree.env },
      cookie: tree.cookie,
      inWorker: end.inWorker
    })
    const { containment } = await host.says('had its tree', LONGEST_START)
    const stood = tree.look(host.child.pid)
    const { begin, stop } = await endHost(host, end)
    const isGone = await tree.end(limit)
    const ms = isGone ? performance.now() - begin : null
    return { row, end, stood, ms, stop, containment, survivors: isGone ? [] : tree.count() }
  } finally {
    await host?.kill()
    await tree.kill()
  }
}

module.exports = { runCell }

'use strict'

const native = require('./native')
const ListeningEmitter = require('./listening-emitter')
const { linesOf } = require('./batches')
const LogFollower = require('./log-follower')
const LogWaits = require('./log-waits')
const exitGuard = require('./exit-guard')
const receive = require('./receiver')
const { readOptions, readConfig } = require('./config')
const { lookup, readCount, readData, readMessage, readPss, readSignal, readTimeout, readTree } = require('./arguments')
const { findLines, readAbortSignal, readQuery } = require('./log-query')
const { readMeasurement } = require('./figures')
const { readHistory, readHistoryQuery } = require('./metrics-history')
const { readStatus } = require('./process-status')
const { asObjects, readReport } = require('./reports')
const { fromEngine, unknownProcess, unknownSignal } = require('./errors')

/* Runtimes without the well-known symbol get the one that Node used before it. */
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')

/** Lines of a log if it is not said how many; those that a follower begins with. */
const TAIL = 100
const FOLLOWED_TAIL = 10

/** Awaits what begin takes on: it answers false when it does not. */
function settled(begin) {
  return new Promise((resolve) => {
    if (!begin(resolve)) resolve(false)
  })
}

/**
 * Spawns, watches, restarts and ends child processes. The engine behind it is
 * native; this class presents it: documented names in, events out.
 */
class ProcessManager extends ListeningEmitter {
  #native
  #defaults
  #closed
  #logWaits = new LogWaits()

  /** @param {object} [options] the defaults of each process, see the README */
  constructor(options) {
    super(() => this.#tellListening())
    /* One emitter speaks for many processes, and each has its listeners. */
    this.setMaxListeners(0)
    this.#defaults = readOptions(options)
    const owner = { emitter: this, logWaits: this.#logWaits }
    this.#native = owner.native = new native.Manager(
      (kind, ...values) => receive(owner, native.kinds[kind], values),
      fromEngine,
      this.#defaults.values,
      this.#defaults.allowedCommands,
      process.env.MCP_PROCESS_MANAGER_SPAWN === 'portable',
    )
  }

  /**
   * Starts a process. Throws on a bad config and at the process limit; that the
   * command could not be executed is reported by an 'error' event.
   *
   * @returns {string} its id
   */
  spawnProcess(config) {
    const { id, command, workingDir, inherit, lists, values } = readConfig(config, this.#defaults)
    return this.#native.spawn(id, command, workingDir, inherit, lists, values)
  }

  /**
   * Ends a process and all that it started.
   *
   * @param {string} id
   * @param {number} [timeout] ms from the stop signal to SIGKILL; the process's stopTimeout if not given
   * @returns {Promise<boolean>} whether nothing of it is left; false for an unknown id
   */
  async stopProcess(id, timeout) {
    const wait = readTimeout(timeout)
    return settled((resolve) => this.#native.stop(lookup(id), wait, resolve))
  }

  /**
   * Stops a process if it runs, and starts it with the same config and id.
   *
   * @returns {Promise<boolean>} whether it runs again; false for an unknown id
   */
  async restartProcess(id) {
    return settled((resolve) => this.#native.restart(lookup(id), resolve))
  }

  /**
   * Sends a signal to a command, or to all that it started.
   *
   * @param {string | number} signal its name or number
   * @param {{ tree?: boolean }} [options] tree: to everything, not the command alone
   * @returns {boolean} whether it was handed over; false for an unknown id, or when nothing runs
   */
  signalProcess(id, signal, options) {
    const sent = this.#native.signal(lookup(id), readSignal(signal), readTree(options))
    if (sent === undefined) throw unknownSignal(signal)
    return sent
  }

  getProcessStatus(id) {
    return readStatus(this.#native, this.#native.status(lookup(id)))
  }

  /**
   * More of what the tree of a process uses, also what all of it has used after its end.
   *
   * @param {{ pss?: boolean }} [options] pss: its proportional memory, which is slow to find out
   * @returns {Promise<object | undefined>} undefined for an unknown id
   */
  async getProcessMetrics(id, options) {
    return readMeasurement(await this.#native.measure(lookup(id), readPss(options)))
  }

  /**
   * What the tree of a process used, sample by sample, if `metricsHistory` of them are kept; also after its end.
   *
   * @param {{ since?: number, window?: number, start?: number, samples?: boolean }} [query] which; all if not given
   * @returns {object | undefined} the samples, and their minimum, mean and maximum; undefined for an unknown id
   */
  getMetricsHistory(id, query) {
    const question = readHistoryQuery(query)
    return readHistory(this.#native.history(lookup(id), ...question), question.at(-1))
  }

  /**
   * The figures of all processes in the text format of Prometheus, for its content type see `metricsContentType`.
   *
   * @returns {Promise<string>} empty once the manager is closed
   */
  async metricsText() {
    return (await this.#native.report(true)) ?? ''
  }

  /* For modules of this package: the same as objects. */
  async [readReport]() {
    return asObjects(await this.#native.report(false))
  }

  /**
   * The log of a process, also after its end.
   *
   * @param {number | object} [question] how many lines of each stream; or what to look for, see the documentation
   * @returns {{ stdout: string[], stderr: string[] } | object[]} lines, oldest first; for an object: records
   */
  getProcessLogs(id, question = TAIL) {
    if (typeof question === 'object' && question !== null) return findLines(this.#native, lookup(id), readQuery(question, TAIL))?.records ?? []
    const texts = this.#native.logs(lookup(id), readCount(question))
    if (texts === undefined) return { stdout: [], stderr: [] }
    return { stdout: linesOf(texts[0]), stderr: linesOf(texts[1]) }
  }

  /**
   * The last lines of a log, then each as it comes, until the process has ended for good.
   *
   * @param {object} [options] as of getProcessLogs; `signal` ends it
   * @returns {AsyncIterableIterator<object>}
   */
  followLogs(id, options = {}) {
    const query = readQuery(options, FOLLOWED_TAIL)
    const signal = readAbortSignal(options)
    const begin = findLines(this.#native, lookup(id), { ...query, lines: 0 })
    if (begin === undefined) throw unknownProcess(id)
    const log = { manager: this.#native, id, life: begin.life, awaitLines: (seq, callback) => this.#awaitLog(id, seq, callback) }
    return new LogFollower(log, query, signal)
  }

  #awaitLog(id, seq, callback) {
    const takeBack = this.#logWaits.add(id, callback)
    if (!this.#native.watchLog(id, seq)) this.#logWaits.tell(id)
    return takeBack
  }

  /**
   * Stops reading stdout, so that a command that writes on will wait; never stderr.
   *
   * @returns {boolean} whether it is paused; false for an unknown id, or when nothing runs
   */
  pauseOutput(id) {
    return this.#native.pause(lookup(id), true)
  }

  /** @returns {boolean} whether stdout is read; false for an unknown id, or when nothing runs */
  resumeOutput(id) {
    return this.#native.pause(lookup(id), false)
  }

  /** All processes that are known, in the order of spawning. */
  listProcesses() {
    return Array.from(this.#native.list(), (row) => {
      const [id, command, pid, status, state, uptime, cpu, memory, restarts, exitCode, exitSignal, containment] = row
      return { id, pid, status, state, containment, command, uptime, cpu, memory, restarts, exitCode, exitSignal }
    })
  }

  /**
   * Queues data for a process's stdin. Throws for an unknown id, a closed stdin
   * and when maxStdinBytes would be passed; then nothing was taken.
   *
   * @returns {boolean} false: better wait for 'drain'
   */
  writeStdin(id, data) {
    const ready = this.#native.write(lookup(id), readData(data))
    if (ready === undefined) throw unknownProcess(id)
    return ready
  }

  /**
   * Queues a message for stdin, as one line of JSON. What is sent in one turn of the
   * loop goes out together. Throws as writeStdin does.
   *
   * @param {unknown} message text or bytes are sent as they are, everything else as JSON
   * @returns {boolean} false: better wait for 'drain'
   */
  sendMessage(id, message) {
    const ready = this.#native.send(lookup(id), readMessage(message))
    if (ready === undefined) throw unknownProcess(id)
    return ready
  }

  /**
   * Closes stdin once what is queued has been written.
   *
   * @returns {boolean} whether it is closed already
   */
  closeStdin(id) {
    const closed = this.#native.closeStdin(lookup(id))
    if (closed === undefined) throw unknownProcess(id)
    return closed
  }

  /** Forgets an ended process; false while it lives, or for an unknown id. */
  removeProcess(id) {
    return this.#native.remove(lookup(id))
  }

  /** Ends all processes at once, not one after the other. */
  async stopAll(timeout) {
    const wait = readTimeout(timeout)
    const stops = Array.from(this.#native.list(), ([id]) => settled((resolve) => this.#native.stop(id, wait, resolve)))
    await Promise.all(stops)
  }

  /** Ends everything and gives the manager up. Later calls join the first. */
  cleanup() {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close() {
    this.#native.refuseNew()
    await this.stopAll()
    await new Promise((resolve) => this.#native.close(resolve))
    this.#logWaits.end()
    exitGuard.release(this.#native)
  }

  [asyncDispose]() {
    return this.cleanup()
  }

  /** Living processes keep Node running (they do at first). */
  ref() {
    this.#native.ref()
    return this
  }

  /** Living processes do not keep Node running; they end with it all the same. */
  unref() {
    this.#native.unref()
    return this
  }

  /** How processes are started: 'clone' (Linux, constant time) or 'uv_spawn' (portable). */
  get backend() {
    return this.#native.backend()
  }

  /* Output that nobody listens to never enters JavaScript. */
  #tellListening() {
    let mask = 0
    for (const event of Object.keys(native.listen)) {
      if (this.listenerCount(event) > 0) mask |= native.listen[event]
    }
    this.#native.listen(mask)
  }
}

/** Of the answer to a scrape that is `metricsText`. */
ProcessManager.metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

module.exports = ProcessManager
module.exports.ProcessManager = ProcessManager
module.exports.default = ProcessManager

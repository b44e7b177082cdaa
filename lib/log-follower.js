'use strict'

const { findLines } = require('./log-query')

/** How many lines are fetched at a time. */
const PAGE = 1000

/**
 * An async iterator of log records: first those that are there, then each as it
 * comes, until the process has ended for good. Nothing is copied before it is asked
 * for; what the log has lost by then is missing, which the numbers tell.
 */
class LogFollower {
  #log
  #query
  #signal
  #records = []
  #place = 0
  #done = false
  #turn = Promise.resolve()
  #stop

  /**
   * @param {object} log
   * @param {object} log.manager the addon's
   * @param {string} log.id
   * @param {number} log.life tells the process from another one that is given the same id later
   * @param {(seq: number, callback: () => void) => () => void} log.awaitLines calls back when there are lines behind
   * seq, or none will come; answers what takes that back
   * @param {object} query of readQuery
   * @param {AbortSignal} [signal]
   */
  constructor(log, query, signal) {
    this.#log = log
    this.#query = query
    this.#signal = signal
  }

  [Symbol.asyncIterator]() {
    return this
  }

  /** Calls may overlap; they are answered one after the other. */
  next() {
    const result = this.#turn.then(() => this.#next())
    this.#turn = result.then(ignore, ignore)
    return result
  }

  /** What next() would answer without having to look for it: for those who want many at a time. */
  takeFetched() {
    const records = this.#records.slice(this.#place)
    this.#place = this.#records.length
    return records
  }

  async return(value) {
    this.#finish()
    return { done: true, value }
  }

  async throw(error) {
    this.#finish()
    throw error
  }

  async #next() {
    for (;;) {
      if (this.#done) return { done: true, value: undefined }
      if (this.#signal?.aborted) {
        this.#finish()
        throw this.#signal.reason
      }
      if (this.#place < this.#records.length) return { done: false, value: this.#records[this.#place++] }
      await this.#more()
    }
  }

  async #more() {
    const { manager, id, life } = this.#log
    const found = findLines(manager, id, this.#query)
    if (found?.life !== life || (found.ended && found.records.length === 0)) {
      this.#finish()
      return
    }
    this.#records = found.records
    this.#place = 0
    /* What was asked for at first may have been a number of lines; now it is all that follow. */
    const isCut = this.#query.since !== undefined && found.records.length > 0
    const since = isCut ? found.records.at(-1).seq : Math.max(found.lastSeq, this.#query.since ?? 0)
    this.#query = { ...this.#query, lines: PAGE, since }
    if (found.records.length === 0) await this.#wait(found.lastSeq)
  }

  async #wait(seq) {
    let takeBack
    await new Promise((resolve) => {
      this.#stop = resolve
      this.#signal?.addEventListener('abort', resolve, { once: true })
      takeBack = this.#log.awaitLines(seq, resolve)
    })
    takeBack()
    this.#signal?.removeEventListener('abort', this.#stop)
  }

  #finish() {
    this.#done = true
    this.#records = []
    this.#stop?.()
  }
}

function ignore() {}

module.exports = LogFollower

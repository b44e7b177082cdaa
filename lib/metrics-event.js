'use strict'

const { inspect } = require('node:util')
const { readEntries, readEntry } = require('./figures')

/**
 * What 'metrics' tells of. The engine has put the figures of all aside; objects are made
 * of them when somebody asks, so that to listen costs next to nothing.
 */
class MetricsEvent {
  #manager
  #snapshot

  /* Each event's own, as properties of other payloads are, for those who spread, compare or clone it. */
  static #processes = {
    enumerable: true,
    configurable: true,
    get() {
      const [ids, numbers] = this.#manager.snapshotAll(this.#snapshot)
      return this.#put(readEntries(ids, new Float64Array(numbers)))
    },
    set(value) {
      this.#put(value)
    },
  }

  /**
   * @param {number} time ms since the epoch
   * @param {object} manager the addon's
   * @param {object} snapshot the addon's, too
   */
  constructor(time, manager, snapshot) {
    this.time = time
    this.#manager = manager
    this.#snapshot = snapshot
    Object.defineProperty(this, 'processes', MetricsEvent.#processes)
  }

  /**
   * One process's entry of `processes`, without the others.
   *
   * @returns {object | undefined} undefined for one that did not run
   */
  get(id) {
    if (typeof id !== 'string' || !this.#manager.snapshotOf(this.#snapshot, id)) return undefined
    return readEntry(this.#manager.numbers)
  }

  [inspect.custom]() {
    return { ...this }
  }

  #put(value) {
    Object.defineProperty(this, 'processes', { enumerable: true, configurable: true, writable: true, value })
    return value
  }
}

module.exports = MetricsEvent

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

  /**
   * @param {number} time ms since the epoch
   * @param {object} manager the addon's
   * @param {object} snapshot the addon's, too
   */
  constructor(time, manager, snapshot) {
    this.time = time
    this.#manager = manager
    this.#snapshot = snapshot
    /* Its own, as that of any other payload, for those who spread, compare or clone it. */
    this.#define({ get: () => this.#readAll(), set: (value) => this.#put(value) })
  }

  /**
   * One process's entry of `processes`, without the others.
   *
   * @returns {object | undefined} undefined for one that did not run
   */
  get(id) {
    const numbers = typeof id === 'string' ? this.#manager.snapshotOf(this.#snapshot, id) : undefined
    return numbers && readEntry(new Float64Array(numbers))
  }

  [inspect.custom]() {
    return { ...this }
  }

  #define(descriptor) {
    Object.defineProperty(this, 'processes', { enumerable: true, configurable: true, ...descriptor })
  }

  #readAll() {
    const [ids, numbers] = this.#manager.snapshotAll(this.#snapshot)
    return this.#put(readEntries(ids, new Float64Array(numbers)))
  }

  #put(value) {
    this.#define({ value, writable: true })
    return value
  }
}

module.exports = MetricsEvent

'use strict'

/* What monitoring systems are told of all processes of a manager. */

const native = require('./native')

/** The method by which modules of this package get a report from a manager. */
const readReport = Symbol('readReport')

const ignore = () => {}

/** The reports of one manager, one after the other: each counts on from where the one before it ended. */
class Reports {
  #manager
  #last

  /** @param {object} manager the addon's */
  constructor(manager) {
    this.#manager = manager
  }

  /** A promise of the text; of undefined once the manager is closed. */
  asText() {
    return this.#begin(true)
  }

  /** A promise of an object for each process: { id, command, state, figures }. */
  async asObjects() {
    const [words, buffer] = (await this.#begin(false)) ?? [[], new ArrayBuffer(0)]
    const numbers = new Float64Array(buffer)
    const width = native.figures.length
    return Array.from({ length: words.length / 3 }, (_, i) => {
      const values = numbers.subarray(i * width, (i + 1) * width)
      const figures = Object.fromEntries(native.figures.map((name, place) => [name, values[place]]))
      const [id, command, state] = words.slice(i * 3, i * 3 + 3)
      return { id, command, state, figures }
    })
  }

  async #begin(asText) {
    const before = this.#last
    const report = (async () => {
      await before
      return this.#manager.report(asText)
    })()
    /* Not the text itself: it may be large. */
    this.#last = report.then(ignore, ignore)
    return report
  }
}

module.exports = { Reports, readReport }

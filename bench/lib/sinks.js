'use strict'

/* Where the peers' lines go. */

/** As many as our own logs keep by default. */
const KEPT = 1000

/** The last lines. */
class Ring {
  #lines = new Array(KEPT)
  #count = 0

  take(line) {
    this.#lines[this.#count++ % KEPT] = line
  }

  seen() {
    const kept = Math.min(this.#count, KEPT)
    return { kept: Array.from({ length: kept }, (_, i) => this.#lines[(this.#count - kept + i) % KEPT]) }
  }
}

/** Lines that are looked at, and not kept. */
class Counter {
  #lines = 0
  #characters = 0

  take(line) {
    this.#lines++
    this.#characters += line.length
  }

  seen() {
    return { lines: this.#lines, characters: this.#characters }
  }
}

/** @param {'ring' | 'line'} output */
const sinkFor = (output) => (output === 'line' ? new Counter() : new Ring())

module.exports = { KEPT, sinkFor }

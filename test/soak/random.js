'use strict'

/** Numbers that look random and follow from a seed (mulberry32). */
class Random {
  #state

  constructor (seed) {
    this.#state = seed >>> 0
  }

  /** 0 to below 1. */
  next () {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let bits = this.#state
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  chance (probability) {
    return this.next() < probability
  }

  /** A whole number, both bounds included. */
  between (least, most) {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** A whole number from 0 to most, small ones as likely as large ones. */
  anyScale (most) {
    return Math.floor((most + 1) ** this.next()) - 1
  }

  /** One of the list; undefined if that is empty. */
  pick (list) {
    return list[Math.floor(this.next() * list.length)]
  }

  /** A key of { key: weight }. */
  weighed (weights) {
    let left = this.next() * Object.values(weights).reduce((sum, weight) => sum + weight, 0)
    const entries = Object.entries(weights)
    return (entries.find(([, weight]) => (left -= weight) < 0) ?? entries.at(-1))[0]
  }

  /** The seed of another one. */
  seed () {
    return Math.floor(this.next() * 2 ** 32)
  }
}

module.exports = { Random }

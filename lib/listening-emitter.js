'use strict'

const { EventEmitter } = require('node:events')

/**
 * An EventEmitter that tells its owner when listeners come and go. The methods
 * that are not here (once and the like, and the functions of node:events) go
 * through these.
 */
class ListeningEmitter extends EventEmitter {
  #changed

  /** @param {() => void} changed called after each change */
  constructor(changed) {
    super()
    this.#changed = changed
  }

  on(event, listener) {
    try {
      return super.on(event, listener)
    } finally {
      this.#changed()
    }
  }

  addListener(event, listener) {
    return this.on(event, listener)
  }

  prependListener(event, listener) {
    try {
      return super.prependListener(event, listener)
    } finally {
      this.#changed()
    }
  }

  removeListener(event, listener) {
    try {
      return super.removeListener(event, listener)
    } finally {
      this.#changed()
    }
  }

  off(event, listener) {
    return this.removeListener(event, listener)
  }

  removeAllListeners(...events) {
    try {
      return super.removeAllListeners(...events)
    } finally {
      this.#changed()
    }
  }
}

module.exports = ListeningEmitter

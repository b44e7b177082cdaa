'use strict'

/** Who waits for new lines in the logs of a manager's processes: functions, by id. */
class LogWaits {
  #waits = new Map()

  /**
   * Calls back with the next `tell` of that id.
   *
   * @returns {() => void} takes it back
   */
  add(id, callback) {
    const callbacks = this.#waits.get(id) ?? new Set()
    this.#waits.set(id, callbacks.add(callback))
    return () => callbacks.delete(callback)
  }

  tell(id) {
    const callbacks = this.#waits.get(id) ?? []
    this.#waits.delete(id)
    for (const callback of callbacks) callback()
  }

  /** Nothing will be told any more. */
  end() {
    for (const id of [...this.#waits.keys()]) this.tell(id)
  }
}

module.exports = LogWaits

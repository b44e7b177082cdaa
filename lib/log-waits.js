'use strict'

/** Who waits for new lines in the logs of a manager's processes. */
class LogWaits {
  #waits = new Map()

  /** Settles with the next `tell` of that id. */
  add(id) {
    let wait = this.#waits.get(id)
    if (wait === undefined) {
      wait = {}
      wait.promise = new Promise((resolve) => {
        wait.resolve = resolve
      })
      this.#waits.set(id, wait)
    }
    return wait.promise
  }

  tell(id) {
    this.#waits.get(id)?.resolve()
    this.#waits.delete(id)
  }

  /** Nothing will be told any more. */
  end() {
    for (const id of this.#waits.keys()) this.tell(id)
  }
}

module.exports = LogWaits

'use strict'

const { ProtocolError } = require('./replies')
const { describe } = require('../errors')

/** Logs that are followed, by number. */
class LogCursors {
  #manager
  #followers = new Map()
  #last = 0

  constructor(manager) {
    this.#manager = manager
  }

  /** @returns {number} for the other methods */
  open(id, options) {
    this.#followers.set(++this.#last, this.#manager.followLogs(id, options))
    return this.#last
  }

  /**
   * Waits for lines.
   *
   * @returns {Promise<{ records: object[], done: boolean }>} the next that are there; done: none will follow
   */
  async next(cursor) {
    const follower = this.#find(cursor)
    const { done, value } = await follower.next()
    if (done) this.#followers.delete(cursor)
    return { records: done ? [] : [value, ...follower.takeFetched()], done }
  }

  /** Ends one; who waits for its lines is told that none will follow. */
  async close(cursor) {
    const follower = this.#followers.get(cursor)
    this.#followers.delete(cursor)
    await follower?.return()
    return follower !== undefined
  }

  #find(cursor) {
    const follower = this.#followers.get(cursor)
    if (follower !== undefined) return follower
    throw new ProtocolError('invalidParams', 'ERR_UNKNOWN_CURSOR', `No log is followed as ${describe(cursor)}`)
  }
}

module.exports = LogCursors

'use strict'

const payloads = require('../events')
const { isDeeper, textOf } = require('./nesting')
const { ProtocolError, noticeText } = require('./replies')
const { describe } = require('../errors')

/** All events of a manager, and one of the way from here to the host. */
const names = ['stdout', 'stderr', 'line', 'message', 'stray', ...Object.keys(payloads), 'lost']

/** The field that is text, or bytes where the process has encoding 'buffer'. */
const textFields = { __proto__: null, stdout: 'data', stderr: 'data', line: 'line', message: 'message', stray: 'line' }

/** Bytes on the way to a host from which on it lags, and until it no longer does. */
const LAGS = 4 * 1024 * 1024
const KEEPS_UP = 1024 * 1024
/** And from which on what cannot be held back is left out. */
const IS_LOST = 16 * 1024 * 1024

/** Levels of a message that every reader of JSON can take. */
const DEEPEST = 200

/** Bytes have no form in JSON. */
function encoded(payload, field) {
  const value = payload[field]
  if (!(value instanceof Uint8Array)) return payload
  return { ...payload, [field]: value.toString('base64'), base64: true }
}

/**
 * The events that a host listens to. One that does not keep up holds back the
 * processes that write: their stdout is paused. stderr never is, so of its events
 * those are left out, and counted, for which there is no room.
 */
class EventStream {
  #manager
  #channel
  #listeners = new Map()
  #handled = 0
  #paused = new Set()
  #lost = new Map()

  constructor(manager, channel) {
    this.#manager = manager
    this.#channel = channel
  }

  get names() {
    return names
  }

  subscribe(wanted) {
    this.#check(wanted)
    for (const name of wanted) {
      if (this.#listeners.has(name)) continue
      const field = textFields[name]
      const listener = field === undefined ? (payload) => this.#send(name, payload) : (payload) => this.#sendText(name, payload, field)
      this.#listeners.set(name, listener)
      this.#manager.on(name, listener)
    }
    return null
  }

  unsubscribe(unwanted) {
    this.#check(unwanted)
    for (const name of unwanted) {
      const listener = this.#listeners.get(name)
      if (listener !== undefined) this.#manager.off(name, listener)
      this.#listeners.delete(name)
    }
    return null
  }

  #check(list) {
    const unknown = list.find((name) => !names.includes(name))
    if (unknown === undefined) return
    throw new ProtocolError('invalidParams', 'ERR_UNKNOWN_EVENT', `There is no event ${describe(unknown)}`)
  }

  /** As the manager's, and not taken back when the host has caught up. */
  pause(id) {
    this.#paused.delete(id)
    return this.#manager.pauseOutput(id)
  }

  /** @param {number} bytes how many the host is done with, of all that it was sent */
  handled(bytes) {
    if (typeof bytes === 'number') this.#handled = bytes
    if (this.#underWay > KEEPS_UP) return
    for (const id of this.#paused) this.#manager.resumeOutput(id)
    this.#paused.clear()
    if (this.#listeners.has('lost')) for (const lost of this.#lost.values()) this.#send('lost', lost)
    this.#lost.clear()
  }

  get #underWay() {
    return this.#channel.sent - this.#handled
  }

  #send(name, payload) {
    this.#channel.send(noticeText('event', [name, payload]))
  }

  #sendText(name, payload, field) {
    const { processId, stream = name } = payload
    if (this.#underWay > LAGS) {
      if (stream !== 'stderr') this.#hold(processId)
      else if (this.#underWay > IS_LOST) {
        this.#lose(processId, name)
        return
      }
    }
    if (name === 'message' && isDeeper(payload.message, DEEPEST)) this.#sendDeep(payload)
    else this.#send(name, encoded(payload, field))
  }

  /* A host that cannot be told of it as a message has it as a line. */
  #sendDeep({ message, ...rest }) {
    if (this.#listeners.has('stray')) this.#send('stray', { ...rest, line: textOf(message) })
  }

  /* Each time: a process that has started anew is not paused any more. */
  #hold(id) {
    if (!this.#paused.has(id) && this.#manager.getProcessStatus(id).output?.stdout.paused) return
    if (this.#manager.pauseOutput(id)) this.#paused.add(id)
  }

  #lose(processId, event) {
    const key = JSON.stringify([processId, event])
    const lost = this.#lost.get(key) ?? { processId, event, count: 0 }
    lost.count++
    this.#lost.set(key, lost)
  }
}

module.exports = EventStream

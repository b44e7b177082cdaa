'use strict'

const EventStream = require('./event-stream')
const LogCursors = require('./log-cursors')
const { readArguments, readObject } = require('./params')
const { ProtocolError, resultText, errorText, noticeText } = require('./replies')
const { version } = require('../../package.json')

/** Of the protocol; it changes when what was said before would be misunderstood. */
const PROTOCOL = 1

const isRequest = (message) =>
  typeof message === 'object' && message !== null && message.jsonrpc === '2.0' && typeof message.method === 'string'
const isId = (id) => typeof id === 'number' || typeof id === 'string'

/** What one host asks of one manager. Requests run beside each other. */
class Session {
  #channel
  #leave
  #methods
  #events

  /**
   * @param {object} channel
   * @param {() => void} leave ends this program
   */
  constructor(channel, leave) {
    this.#channel = channel
    this.#leave = leave
    this.#methods = { __proto__: null, initialize: (params) => this.#initialize(params), ping: () => null }
  }

  /** @param {string} line a request or a notification */
  receive(line) {
    const message = this.#parse(line)
    if (message === undefined) return
    const { id, method, params } = message
    try {
      const result = this.#find(method)(...readArguments(params))
      if (typeof result?.then === 'function') this.#await(id, result)
      else this.#answer(id, result)
    } catch (error) {
      this.#fail(id, error)
    }
  }

  #parse(line) {
    let message
    try {
      message = JSON.parse(line)
    } catch (cause) {
      this.#fail(null, new ProtocolError('parse', 'ERR_PARSE', `This is no JSON: ${cause.message}`))
      return undefined
    }
    if (isRequest(message) && (message.id === undefined || isId(message.id))) return message
    const id = isId(message?.id) ? message.id : null
    this.#fail(id, new ProtocolError('invalidRequest', 'ERR_INVALID_REQUEST', 'This is no request of JSON-RPC 2.0'))
    return undefined
  }

  #find(method) {
    const found = this.#methods[method]
    if (found !== undefined) return found
    if (this.#events === undefined) {
      throw new ProtocolError('invalidRequest', 'ERR_NOT_INITIALIZED', `initialize comes before ${JSON.stringify(method)}`)
    }
    throw new ProtocolError('noSuchMethod', 'ERR_UNKNOWN_METHOD', `There is no method ${JSON.stringify(method)}`)
  }

  async #await(id, promise) {
    try {
      this.#answer(id, await promise)
    } catch (error) {
      this.#fail(id, error)
    }
  }

  /* A notification is not answered, whatever comes of it. */
  #answer(id, result) {
    if (id !== undefined) this.#channel.send(resultText(id, result))
  }

  #fail(id, error) {
    if (id !== undefined) this.#channel.send(errorText(id, error))
  }

  #initialize(params) {
    if (this.#events !== undefined) {
      throw new ProtocolError('invalidRequest', 'ERR_INITIALIZED', 'initialize was called before')
    }
    const { protocol, options, hostPid } = readObject(params, 'params[0]')
    if (protocol !== PROTOCOL) {
      const message = `mcp-process-manager ${version} speaks protocol ${PROTOCOL}, not ${JSON.stringify(protocol)}`
      throw new ProtocolError('unavailable', 'ERR_PROTOCOL_VERSION', message, { protocol: PROTOCOL, version })
    }
    /* Here, so that an addon that is missing is an answer. */
    const ProcessManager = require('../process-manager')
    const makeMethods = require('./methods')
    const { watchHost } = require('./host')
    if (hostPid !== undefined) watchHost(hostPid, this.#leave)
    const manager = new ProcessManager(options)
    const events = new EventStream(manager, this.#channel)
    const methods = makeMethods(manager, { events, cursors: new LogCursors(manager) })
    Object.assign(this.#methods, methods)
    this.#events = events
    const { backend } = manager
    return {
      protocol: PROTOCOL,
      version,
      node: process.version,
      pid: process.pid,
      backend,
      events: events.names,
      methods: Object.keys(this.#methods),
    }
  }

  /** Tells the host of a warning of this process. */
  warn({ name, message, code, detail }) {
    this.#channel.send(noticeText('warning', { name, message, code, detail }))
  }
}

module.exports = Session

'use strict'

// A Transport of the MCP SDK over the stdio of a process that a manager runs.
//
// One transport serves one start of the process. The manager may start the
// process again; MCP's handshake then begins anew, so a new client with a new
// transport is needed (see the 'restart' event in examples/demo.js).

const { setTimeout: wait } = require('node:timers/promises')
const { JSONRPCMessageSchema } = require('@modelcontextprotocol/sdk/types.js')

class ManagedTransport {
  // Set by the SDK's Client before it calls start().
  onmessage
  onclose
  onerror

  #manager
  #processId
  #closeTimeout
  #pid = 0
  #closing = false
  #listeners
  #waitingForDrain = []
  #finished
  #finish

  /**
   * @param {import('mcp-process-manager').ProcessManager} manager
   * @param {string} processId of a process that was spawned with `messages: 'json'`
   * @param {{ closeTimeout?: number }} [options] how long, in ms, a server may
   *   take to leave by itself once its stdin was closed
   */
  constructor (manager, processId, { closeTimeout = 2000 } = {}) {
    this.#manager = manager
    this.#processId = processId
    this.#closeTimeout = closeTimeout
    this.#finished = new Promise(resolve => { this.#finish = resolve })
  }

  async start () {
    if (this.#listeners) throw new Error('This transport was started before')
    const { pid, status, error } = this.#manager.getProcessStatus(this.#processId)
    if (status !== 'running') throw error ?? new Error(`Process ${this.#processId} does not run: ${status}`)
    this.#pid = pid
    this.#listen({
      message: ({ message }) => this.#receive(message),
      stray: ({ line }) => this.onerror?.(new Error(`stdout had a line that is no message: ${line}`)),
      drain: () => this.#drained(),
      error: ({ error }) => this.onerror?.(error),
      exit: exit => { if (exit.pid === pid) this.#ended(exit) }
    })
  }

  async send (message) {
    if (!this.#pid) throw new Error('Not connected')
    // It is queued either way; false asks to hold back what comes next.
    if (this.#manager.sendMessage(this.#processId, message)) return
    await new Promise((resolve, reject) => { this.#waitingForDrain.push({ resolve, reject }) })
  }

  // What the protocol asks of clients: stdin is closed first, which lets a
  // server leave by itself, and force comes after that.
  async close () {
    if (!this.#pid) return
    this.#closing = true
    this.#manager.closeStdin(this.#processId)
    const patience = new AbortController()
    await Promise.race([this.#finished, wait(this.#closeTimeout, undefined, { signal: patience.signal }).catch(() => {})])
    patience.abort()
    // It also ends what the server started and left behind.
    await this.#manager.stopProcess(this.#processId)
    this.#end()
  }

  #listen (handlers) {
    this.#listeners = Object.entries(handlers).map(([event, handle]) => {
      const listener = payload => { if (payload.processId === this.#processId) handle(payload) }
      this.#manager.on(event, listener)
      return [event, listener]
    })
  }

  // JSON it is; whether it is JSON-RPC is looked at here.
  #receive (message) {
    const { success, data, error } = JSONRPCMessageSchema.safeParse(message)
    if (success) this.onmessage?.(data)
    else this.onerror?.(error)
  }

  #drained () {
    for (const { resolve } of this.#waitingForDrain.splice(0)) resolve()
  }

  // All that the SDK tells is "Connection closed"; this tells why.
  #ended ({ code, signal }) {
    if (code !== 0 && !this.#closing) {
      const { stderr } = this.#manager.getProcessLogs(this.#processId, 5)
      this.onerror?.(new Error([`The process ended with ${signal ?? `code ${code}`}`, ...stderr].join('\n')))
    }
    this.#end()
  }

  #end () {
    if (!this.#pid) return
    this.#pid = 0
    for (const [event, listener] of this.#listeners) this.#manager.off(event, listener)
    for (const { reject } of this.#waitingForDrain.splice(0)) reject(new Error('The process ended'))
    this.#finish()
    this.onclose?.()
  }
}

module.exports = { ManagedTransport }

'use strict'

const net = require('node:net')

/** One text a line, both ways, over two pipes. What is sent in one turn of the loop leaves together. */
class Channel {
  #input
  #output
  #rest = ''
  #waiting = ''
  #isDue = false
  #sent = 0

  /**
   * @param {number} input a descriptor
   * @param {number} output a descriptor
   * @param {() => void} ended the other side has closed its ends, or has gone
   */
  constructor(input, output, ended) {
    this.#input = new net.Socket({ fd: input, readable: true, writable: false })
    this.#output = new net.Socket({ fd: output, readable: false, writable: true })
    this.#input.setEncoding('utf8')
    this.#output.on('error', ended)
    this.#input.on('error', ended)
    this.#input.on('close', ended)
    this.#input.on('end', ended)
  }

  /** @param {(line: string) => void} receive */
  open(receive) {
    this.#input.on('data', (text) => this.#take(text, receive))
  }

  #take(text, receive) {
    let start = 0
    for (let end; (end = text.indexOf('\n', start)) >= 0; start = end + 1) {
      const line = this.#rest + text.slice(start, end)
      this.#rest = ''
      receive(line)
    }
    if (start < text.length) this.#rest += text.slice(start)
  }

  /** @param {string} text without a line end, as JSON has none */
  send(text) {
    this.#waiting += `${text}\n`
    this.#sent += Buffer.byteLength(text) + 1
    if (this.#isDue) return
    this.#isDue = true
    process.nextTick(() => this.#flush())
  }

  /* One write at a time: what comes meanwhile leaves with the next. */
  #flush() {
    const text = this.#waiting
    this.#waiting = ''
    this.#output.write(text, () => {
      this.#isDue = this.#waiting !== ''
      if (this.#isDue) this.#flush()
    })
  }

  /** Bytes that were sent since the beginning, those that still wait in this process too. */
  get sent() {
    return this.#sent
  }
}

module.exports = Channel

'use strict'

// A FIFO that everybody in a tree holds open for writing. Whether anybody does is
// known to the kernel at each instant, while a look through /proc takes long
// enough for a process to fork behind its back.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')

class Lifeline {
  #fd

  constructor (path) {
    this.path = path
    this.#fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  }

  /** Makes the FIFO, which everybody may write to. */
  static make (path) {
    execFileSync('mkfifo', ['-m', '666', path])
    return new Lifeline(path)
  }

  isHeld () {
    try {
      return fs.readSync(this.#fd, Buffer.alloc(1)) > 0
    } catch (error) {
      if (error.code === 'EAGAIN') return true
      throw error
    }
  }

  /** Chains end when they find that the name is gone. */
  cut () {
    fs.rmSync(this.path, { force: true })
  }

  close () {
    fs.closeSync(this.#fd)
  }
}

module.exports = { Lifeline }

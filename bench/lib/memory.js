'use strict'

const BLOCK = 64 * 2 ** 20
const held = []

/**
 * Lets this process grow to a resident size, with Buffers that have been
 * written to. Buffers, because V8 keeps its own heap out of forks: what a fork
 * copies is native memory, Buffers and WebAssembly.
 */
function growTo(mebibytes) {
  const target = mebibytes * 2 ** 20
  for (;;) {
    const missing = target - process.memoryUsage.rss()
    if (missing < 2 ** 16) return
    held.push(Buffer.alloc(Math.min(BLOCK, missing), 1))
  }
}

module.exports = { growTo }

'use strict'

/* The host's side of c/stamps.h. */

const fs = require('node:fs')
const path = require('node:path')

const WORD = 8

/** Makes an empty file for so many runs, in memory as the one of the C limit. */
function create(runs) {
  const directory = fs.mkdtempSync('/dev/shm/bench-stamps-')
  const file = path.join(directory, 'stamps')
  fs.writeFileSync(file, Buffer.alloc(WORD * (1 + 2 * runs)))
  return { file, remove: () => fs.rmSync(directory, { recursive: true }) }
}

/** The µs from each crash to the first moment of the next run. */
function gaps(file, runs) {
  const bytes = fs.readFileSync(file)
  const word = (i) => bytes.readBigUInt64LE(i * WORD)
  if (word(0) !== BigInt(runs)) throw new Error(`${runs} runs were wanted, there were ${word(0)}`)
  return Array.from({ length: runs - 1 }, (_, i) => Number(word(1 + 2 * (i + 1)) - word(2 + 2 * i)) / 1e3)
}

module.exports = { create, gaps }

'use strict'

/* What one read brought, told one by one. The addon hands over one string, which is
 * taken apart here at the ends that the engine has found: that costs a fraction of as
 * many strings. */

/* A listener that throws must not cost the others of the batch their lines:
 * the exception surfaces behind it, as one that nobody caught. */
function guarded(tell, part) {
  try {
    tell(part)
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}

/**
 * The lines of a text that they were put together in.
 *
 * @param {number} count how many; no line and an empty one make the same text
 */
function partsOf(text, count) {
  return count === 0 ? [] : text.split('\n')
}

/**
 * @param {string | unknown[]} batch an array if they did not lie in one piece
 * @param {number} known how many ends are in `ends`; 0 if where they are in the text is not known
 * @param {Uint32Array} ends
 */
function forEachPart({ batch, known, ends }, tell) {
  if (known === 0) {
    const parts = typeof batch === 'string' ? partsOf(batch) : batch
    for (const part of parts) guarded(tell, part)
    return
  }
  let start = 0
  for (let i = 0; i < known; i++) {
    const end = ends[i]
    guarded(tell, batch.slice(start, end))
    start = end + 1
  }
}

/**
 * Tells listeners of 'line' what a batch holds.
 *
 * @param {import('node:events').EventEmitter} emitter
 */
function emitLines(emitter, processId, stream, batch) {
  forEachPart(batch, (line) => emitter.emit('line', { processId, stream, line }))
}

/** What is no JSON. */
const invalid = Symbol('invalid')

function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return invalid
  }
}

/**
 * Tells listeners of 'message' what a batch holds: the texts, or what they mean. A
 * text that only looks like JSON is told of by 'stray'.
 */
function emitMessages(emitter, processId, isParsed, batch) {
  forEachPart(batch, (text) => {
    const message = isParsed ? parse(text) : text
    if (message === invalid) emitter.emit('stray', { processId, line: text })
    else emitter.emit('message', { processId, message })
  })
}

module.exports = { emitLines, emitMessages, partsOf }

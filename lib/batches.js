'use strict'

/* What one read brought, told one by one. The addon hands over a string with line
 * ends in it, which is taken apart here, or an array where it had to make one. */

/* Longer ones are cut out of the batch without a copy, which V8 does from 13
 * characters on. */
function forEachPart(batch, tell) {
  if (typeof batch !== 'string') {
    for (const part of batch) guarded(tell, part)
    return
  }
  let start = 0
  for (let end = batch.indexOf('\n'); end >= 0; end = batch.indexOf('\n', start)) {
    guarded(tell, batch.slice(start, end))
    start = end + 1
  }
  guarded(tell, start === 0 ? batch : batch.slice(start))
}

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

module.exports = { emitLines, emitMessages }

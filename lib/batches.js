'use strict'

/* What one read brought, told one by one, and lines of a log. The addon hands over
 * strings of many lines, which are taken apart here at the ends that the engine has
 * found: that costs a fraction of as many strings. */

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
 * The lines of a log.
 *
 * @param {(string | number)[]} texts each with the number of its lines behind it
 */
function linesOf(texts) {
  const [first = ''] = texts
  if (texts.length <= 2) return texts.length === 0 ? [] : first.split('\n')
  const lines = []
  for (let i = 0; i < texts.length; i += 2) lines.push(...texts[i].split('\n'))
  return lines
}

/**
 * @param {string | unknown[]} batch an array if they did not lie in one piece
 * @param {number} known how many ends are in `ends`; 0 if where they are in the text is not known
 * @param {Uint32Array} ends
 */
function forEachPart({ batch, known, ends }, tell) {
  if (known === 0) {
    const parts = typeof batch === 'string' ? batch.split('\n') : batch
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

/** Tells listeners of 'message' what a batch holds: the texts, or what they mean. */
function emitMessages(emitter, processId, isParsed, batch) {
  forEachPart(batch, (text) => emitter.emit('message', { processId, message: isParsed ? JSON.parse(text) : text }))
}

/** Tells listeners of 'stray' what a batch holds. */
function emitStrays(emitter, processId, batch) {
  forEachPart(batch, (line) => emitter.emit('stray', { processId, line }))
}

module.exports = { emitLines, emitMessages, emitStrays, linesOf }

'use strict'

/** What the addon tells of the streams of a process, by name. */
function readStreams(values) {
  const [lines, bytes, droppedLines, cutBytes, errLines, errBytes, errDroppedLines, errCutBytes, paused] = values
  return {
    stdout: { lines, bytes, droppedLines, cutBytes, paused },
    stderr: { lines: errLines, bytes: errBytes, droppedLines: errDroppedLines, cutBytes: errCutBytes },
  }
}

module.exports = { readStreams }

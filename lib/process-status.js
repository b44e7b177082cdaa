'use strict'

/** Of an id that is not known. */
const unknown = () => ({ pid: 0, status: 'unknown', uptime: 0, cpu: 0, memory: 0, restarts: 0 })

/**
 * The status of a process, from what the addon has left behind. In plain reads: to spread or to take an array apart
 * costs more than all the rest, when it is done now and then.
 *
 * @param {{ numbers: Float64Array, words: string[][] }} manager the addon's
 * @param {Error | null | undefined} error what its call gave
 */
function readStatus(manager, error) {
  if (error === undefined) return unknown()
  const numbers = manager.numbers
  const words = manager.words[numbers[0]]
  return {
    pid: numbers[1],
    status: words[0],
    state: words[1],
    containment: words[2],
    uptime: numbers[2],
    cpu: numbers[3],
    memory: numbers[4],
    own: { cpu: numbers[5], memory: numbers[6] },
    processes: numbers[7],
    restarts: numbers[8],
    queuePosition: numbers[9] === 0 ? null : numbers[9],
    exitCode: numbers[10] < 0 ? null : numbers[10],
    exitSignal: words[3],
    error,
    output: {
      stdout: {
        lines: numbers[12],
        bytes: numbers[13],
        droppedLines: numbers[14],
        cutBytes: numbers[15],
        paused: numbers[11] === 1,
      },
      stderr: { lines: numbers[16], bytes: numbers[17], droppedLines: numbers[18], cutBytes: numbers[19] },
    },
  }
}

module.exports = { readStatus }

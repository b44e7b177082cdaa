'use strict'

/** Numbers that the addon gives for a tree of processes. */
const NUMBERS = 9

const BYTES_PER_MB = 2 ** 20

/** What a tree uses, from the addon's numbers, of which the first is at `at`. */
function readFigures(numbers, at = 0) {
  return {
    cpu: numbers[at],
    memory: numbers[at + 1],
    own: { cpu: numbers[at + 2], memory: numbers[at + 3] },
    processes: numbers[at + 4],
    threads: numbers[at + 5],
    peakMemory: numbers[at + 6],
    userCPUTime: numbers[at + 7],
    systemCPUTime: numbers[at + 8],
  }
}

/** The same with what is found out on request; undefined if there is nothing. */
function readMeasurement(values) {
  if (values === undefined) return undefined
  const [openDescriptors, voluntaryContextSwitches, involuntaryContextSwitches, bytesRead, bytesWritten, pss] =
    values.slice(NUMBERS)
  return {
    ...readFigures(values),
    openDescriptors,
    voluntaryContextSwitches,
    involuntaryContextSwitches,
    bytesRead,
    bytesWritten,
    pss: pss === null ? null : pss / BYTES_PER_MB,
  }
}

/**
 * By id, in an object without a prototype: an id may be any string, "__proto__" too.
 *
 * @param {Float64Array} numbers for each of these a pid and the numbers
 * @param {{ ids: string[], first: number, end: number }} which those of ids from first on
 * @param {object} [all] what there is of it already
 */
function addFigures(numbers, { ids, first, end }, all = Object.create(null)) {
  let at = 0
  for (let i = first; i < end; i++) {
    /* Put together anew, to spread them costs as much as all the rest. */
    const { cpu, memory, own, processes, threads, peakMemory, userCPUTime, systemCPUTime } = readFigures(numbers, at + 1)
    all[ids[i]] = { pid: numbers[at], cpu, memory, own, processes, threads, peakMemory, userCPUTime, systemCPUTime }
    at += 1 + NUMBERS
  }
  return all
}

module.exports = { addFigures, readMeasurement }

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

/** What readFigures gives and a pid, which is the first of the numbers. */
function readEntry(numbers, at = 0) {
  /* Put together anew: to spread them costs as much as all the rest. */
  const figures = readFigures(numbers, at + 1)
  const { cpu, memory, own, processes, threads, peakMemory, userCPUTime, systemCPUTime } = figures
  return { pid: numbers[at], cpu, memory, own, processes, threads, peakMemory, userCPUTime, systemCPUTime }
}

/**
 * By id, in an object without a prototype: an id may be any string, "__proto__" too.
 *
 * @param {string[]} ids at least so many as there are entries
 * @param {Float64Array} numbers of each
 */
function readEntries(ids, numbers) {
  const all = Object.create(null)
  for (let at = 0, i = 0; at < numbers.length; at += 1 + NUMBERS) all[ids[i++]] = readEntry(numbers, at)
  return all
}

module.exports = { readEntries, readEntry, readMeasurement }

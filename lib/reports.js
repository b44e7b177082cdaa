'use strict'

/* What monitoring systems are told of all processes of a manager. */

const native = require('./native')

/** The method by which modules of this package get a report from a manager. */
const readReport = Symbol('readReport')

/**
 * An object for each process: { id, command, state, figures }.
 *
 * @param {[string[], ArrayBuffer] | undefined} report the addon's; undefined once the manager is closed
 */
function asObjects(report) {
  const [words, buffer] = report ?? [[], new ArrayBuffer(0)]
  const numbers = new Float64Array(buffer)
  const width = native.figures.length
  return Array.from({ length: words.length / 3 }, (_, i) => {
    const values = numbers.subarray(i * width, (i + 1) * width)
    const figures = Object.fromEntries(native.figures.map((name, place) => [name, values[place]]))
    const [id, command, state] = words.slice(i * 3, i * 3 + 3)
    return { id, command, state, figures }
  })
}

module.exports = { asObjects, readReport }

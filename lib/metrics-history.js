'use strict'

/* Questions to what has been sampled of a process, and the answers. */

const { own } = require('./arguments')
const { outOfRange, wrongType } = require('./errors')

/** Numbers that the addon gives for each sample. */
const NUMBERS = 7

/** Longer ones cannot be told apart from each other. */
const LONGEST = 2 ** 43

/** A number of at least 0 that may be left out. */
function readNumber(query, name, wanted, isGood) {
  const value = own(query, name)
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw wrongType(`query.${name}`, wanted, value)
  if (!isGood(value)) throw outOfRange(`query.${name}`, wanted, value)
  return Math.min(value, LONGEST)
}

function readSamples(query) {
  const value = own(query, 'samples')
  if (value !== undefined && typeof value !== 'boolean') throw wrongType('query.samples', 'true or false', value)
  return value !== false
}

/**
 * What is asked of a history, as the addon takes it behind the id.
 *
 * @param {unknown} query of getMetricsHistory
 */
function readHistoryQuery(query) {
  if (query === undefined) return [undefined, undefined, undefined, true]
  if (typeof query !== 'object' || query === null || Array.isArray(query)) throw wrongType('query', 'an object', query)
  return [
    readNumber(query, 'since', 'a number of milliseconds of at least 0', (value) => value >= 0),
    readNumber(query, 'window', 'a number of milliseconds above 0', (value) => value > 0),
    readNumber(query, 'start', 'an integer of at least 0', (value) => Number.isSafeInteger(value) && value >= 0),
    readSamples(query),
  ]
}

function readSampleList(buffer) {
  const numbers = new Float64Array(buffer)
  const samples = []
  for (let at = 0; at < numbers.length; at += NUMBERS) {
    const [time, span, start, cpu, memory, processes, threads] = numbers.subarray(at, at + NUMBERS)
    samples.push({ time, span, start, cpu, memory, processes, threads })
  }
  return samples
}

/**
 * What getMetricsHistory answers.
 *
 * @param {unknown[] | undefined} values the addon's
 * @param {boolean} withSamples
 */
function readHistory(values, withSamples) {
  if (values === undefined) return undefined
  const [count, buffer] = values.slice(-2)
  const range = (at) => (count === 0 ? null : { min: values[at], mean: values[at + 1], max: values[at + 2] })
  const summary = { count, cpu: range(0), memory: range(3), processes: range(6), threads: range(9) }
  return withSamples ? { ...summary, samples: readSampleList(buffer) } : summary
}

module.exports = { readHistory, readHistoryQuery }

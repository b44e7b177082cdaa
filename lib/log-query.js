'use strict'

/* Questions to the log of a process, and the records that answer them. */

const { linesOf } = require('./batches')
const { own, readCount } = require('./arguments')
const { outOfRange, wrongType, coded } = require('./errors')

const streams = ['stdout', 'stderr']
const BOTH_STREAMS = 0b11

/** Numbers that the addon gives for each line. */
const NUMBERS = 4

/** A count that was given out earlier: a seq, or the number of a start. */
function readNumber(options, name) {
  const value = own(options, name)
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw wrongType(`options.${name}`, 'an integer', value)
  if (!Number.isSafeInteger(value) || value < 0) throw outOfRange(`options.${name}`, 'an integer of at least 0', value)
  return value
}

function readStream(options) {
  const value = own(options, 'stream')
  if (value === undefined) return BOTH_STREAMS
  const place = streams.indexOf(value)
  if (place < 0) {
    if (typeof value !== 'string') throw wrongType('options.stream', "'stdout' or 'stderr'", value)
    throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', `options.stream must be one of 'stdout', 'stderr'; got ${JSON.stringify(value)}`)
  }
  return 1 << place
}

function readSearch(options) {
  const value = own(options, 'search')
  if (value !== undefined && typeof value !== 'string') throw wrongType('options.search', 'a string', value)
  return value
}

/** The signal that ends a follower. */
function readAbortSignal(options) {
  const signal = own(options, 'signal')
  if (signal === undefined || isAbortSignal(signal)) return signal
  throw wrongType('options.signal', 'an AbortSignal', signal)
}

/* Not by instanceof: it may be another realm's. */
function isAbortSignal(value) {
  return typeof value === 'object' && value !== null && 'aborted' in value && typeof value.addEventListener === 'function'
}

/* Who has seen the lines up to a certain one wants all that follow. */
function initialCount(since, lines) {
  return since === undefined ? lines : Infinity
}

/**
 * What is asked of a log.
 *
 * @param {unknown} options of getProcessLogs or followLogs
 * @param {number} lines how many if that is not said; all that follow if `since` is given
 */
function readQuery(options, lines) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw wrongType('options', 'an object', options)
  }
  const since = readNumber(options, 'since')
  const count = own(options, 'lines')
  return {
    lines: count === undefined ? initialCount(since, lines) : readCount(count, 'options.lines'),
    since,
    streams: readStream(options),
    start: readNumber(options, 'start'),
    search: readSearch(options),
  }
}

/**
 * The records that a query finds, in order; undefined for an unknown id.
 *
 * @param {object} manager the addon's
 * @returns {{ records: object[], lastSeq: number, ended: boolean, life: number } | undefined}
 */
function findLines(manager, id, { lines, since, streams: wanted, start, search }) {
  const answer = manager.queryLog(id, lines, since, wanted, start, search)
  if (answer === undefined) return undefined
  const [texts, numbers, lastSeq, ended, life] = answer
  const records = linesOf(texts)
  for (let i = 0, at = 0; i < records.length; i++, at += NUMBERS) {
    const line = records[i]
    records[i] = { seq: numbers[at], time: numbers[at + 1], stream: streams[numbers[at + 3]], start: numbers[at + 2], line }
  }
  return { records, lastSeq, ended, life }
}

module.exports = { findLines, readAbortSignal, readQuery }

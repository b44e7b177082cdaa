'use strict'

const { inspect } = require('node:util')
const { readEntries, readEntry } = require('./figures')

const hidden = (value) => ({ configurable: true, writable: true, value })

/**
 * What 'metrics' tells of. The engine has put the figures of all aside; objects are made
 * of them when somebody asks, so that to listen costs next to nothing. For who spreads,
 * compares, clones, freezes or prints it the payload is as plain as the others.
 *
 * @param {number} time ms since the epoch
 * @param {object} manager the addon's
 * @param {object} snapshot the addon's, too
 */
function makeMetricsEvent(time, manager, snapshot) {
  let isMade = false
  let made

  const event = {
    time,
    get processes() {
      return isMade ? made : put(readAll())
    },
    set processes(value) {
      put(value)
    },
  }

  return Object.defineProperties(event, { get: hidden(get), [inspect.custom]: hidden(() => ({ ...event })) })

  /* One process's entry of `processes`, without the others; undefined for one that did not run. */
  function get(id) {
    if (typeof id !== 'string') return undefined
    if (isMade) return made?.[id]
    return manager.snapshotOf(snapshot, id) ? readEntry(manager.numbers) : undefined
  }

  function readAll() {
    const [ids, numbers] = manager.snapshotAll(snapshot)
    return readEntries(ids, new Float64Array(numbers))
  }

  /* What it was made of is not needed any more. */
  function put(value) {
    isMade = true
    made = value
    manager = snapshot = undefined
    return value
  }
}

module.exports = { makeMetricsEvent }

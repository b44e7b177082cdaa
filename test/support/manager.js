'use strict'

// Managers that are cleaned up after each test, and ways to wait for them.

const ProcessManager = require('../../lib/process-manager')
const { fixture } = require('./children')

const limit = 20000
const made = new Set()

// An address sanitizer is preloaded into the test runner only: children would
// be slow, and an environment that a test looks at would hold one name more.
const preload = process.env.PM_TEST_PRELOAD

/* The portable backend has no keepers, and nobody there knows what a command used. */
const portable = process.env.MCP_PROCESS_MANAGER_SPAWN === 'portable'

/** The containment that is in effect where this one is wanted. */
function inEffect (wanted) {
  return portable && wanted !== 'none' ? 'group' : wanted
}

/** What the resourceUsage of an exit looks like. */
function anyUsage () {
  const number = expect.any(Number)
  return portable ? null : { userCPUTime: number, systemCPUTime: number, maxRSS: number }
}

/** A manager that afterEach cleans up. */
function makeManager (options) {
  const manager = new ProcessManager(options)
  made.add(manager)
  return manager
}

async function cleanUp () {
  const managers = [...made]
  made.clear()
  for (const manager of managers) {
    manager.removeAllListeners()
    manager.on('error', () => {})
    await manager.stopAll(0)
    await manager.cleanup()
  }
}

afterEach(cleanUp)

/** All events but output that a manager emits, as [name, payload], from now on. */
function record (manager, names = ['spawn', 'exit', 'error', 'restart', 'backoff', 'queued', 'stop', 'drain', 'limit']) {
  const seen = []
  for (const name of names) manager.on(name, payload => seen.push([name, payload]))
  return seen
}

/**
 * Resolves with the payload of the first event for which predicate holds;
 * rejects with all that was seen when it does not come in time.
 */
function once (emitter, event, predicate = () => true, time = limit) {
  return new Promise((resolve, reject) => {
    const seen = []
    const settle = (act, value) => {
      clearTimeout(timer)
      emitter.removeListener(event, listener)
      act(value)
    }
    const listener = payload => {
      if (predicate(payload)) settle(resolve, payload)
      else if (seen.length < 20) seen.push(payload)
    }
    const timer = setTimeout(() => {
      const list = seen.map(payload => JSON.stringify(payload)?.slice(0, 300)).join('\n')
      settle(reject, new Error(`No such '${event}' event within ${time} ms; seen:\n${list || 'none'}`))
    }, time)
    emitter.on(event, listener)
  })
}

/** The exit of one process. */
function exitOf (manager, id) {
  return once(manager, 'exit', payload => payload.processId === id)
}

/** Resolves once a process has written the text to a stream. */
function wrote (manager, id, text, stream = 'stdout') {
  let all = ''
  return once(manager, stream, ({ processId, data }) => {
    if (processId !== id) return false
    all += data
    return all.includes(text)
  })
}

/** Starts a program that says "ready", and returns its id once it did. */
async function startReady (manager, config) {
  const id = manager.spawnProcess(config)
  await wrote(manager, id, 'ready\n')
  return id
}

/** Gathers what a process writes: { stdout, stderr } of strings, filled as it comes. */
function collect (manager, id) {
  const output = { stdout: '', stderr: '' }
  for (const stream of Object.keys(output)) {
    manager.on(stream, ({ processId, data }) => {
      if (id === undefined || processId === id) output[stream] += data
    })
  }
  return output
}

/** Runs a command to its end: { id, exit, stdout, stderr }. */
async function run (manager, config) {
  const id = manager.spawnProcess(config)
  const output = collect(manager, id)
  const exit = await exitOf(manager, id)
  return { id, exit, ...output }
}

/** What test/fixtures/show-start.c prints of how it was started. */
async function showStart (manager, config = {}) {
  const { id, stdout } = await run(manager, { command: fixture('show-start'), ...config })
  const shown = { id, args: [], env: {} }
  for (const line of stdout.split('\n').filter(Boolean)) {
    const [, name, value] = /^(\w+) ([^]*)$/.exec(line)
    if (name === 'arg') shown.args.push(value)
    else if (name === 'env') shown.env[value.slice(0, value.indexOf('='))] = value.slice(value.indexOf('=') + 1)
    else shown[name] = name === 'cwd' || name === 'umask' ? value : Number(value)
  }
  return shown
}

/** What a call throws; fails if it does not. */
function thrownBy (act) {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('Nothing was thrown')
}

module.exports = {
  ProcessManager, makeManager, record, once, exitOf, wrote, startReady, collect, run, showStart, thrownBy, preload, portable, inEffect, anyUsage
}

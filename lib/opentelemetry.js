'use strict'

/* The figures of a manager's processes as instruments of OpenTelemetry. What its semantic
 * conventions have a name for has that name, unit and attributes:
 * https://opentelemetry.io/docs/specs/semconv/system/process-metrics */

const { version } = require('../package.json')
const { own } = require('./arguments')
const { coded, wrongType } = require('./errors')
const { readReport } = require('./reports')

const dispose = Symbol.dispose ?? Symbol.for('nodejs.dispose')

const SCOPE = 'mcp-process-manager'
const OWN = 'mcp_process_manager'

/** One point, from the figure of that name, with an attribute if there are several. */
const point = (figure, attribute, value) => ({ figure, attributes: attribute === undefined ? {} : { [attribute]: value } })

/** One for each stream. */
const streams = (figure) => [point(`stdout${figure}`, 'log.iostream', 'stdout'), point(`stderr${figure}`, 'log.iostream', 'stderr')]

const ends = ['Requested', 'Success', 'Failure', 'Signal', 'Limit', 'Unknown'].map((way) =>
  point(`ends${way}`, `${OWN}.exit.outcome`, way.toLowerCase()),
)

/** [name, kind, unit, description, points]; times are microseconds in the report, and seconds here. */
const instruments = [
  ['process.cpu.time', 'Counter', 's', 'CPU time that the tree has used, over all starts.', [
    point('user', 'cpu.mode', 'user'), point('system', 'cpu.mode', 'system')]],
  ['process.memory.usage', 'UpDownCounter', 'By', 'Resident memory of the tree.', [point('memory')]],
  ['process.thread.count', 'UpDownCounter', '{thread}', 'Threads of the tree.', [point('threads')]],
  ['process.unix.file_descriptor.count', 'UpDownCounter', '{file_descriptor}', 'Open file descriptors of the tree.', [point('descriptors')]],
  ['process.disk.io', 'Counter', 'By', 'Bytes that the tree has read from and written to storage, as far as they were seen.', [
    point('read', 'disk.io.direction', 'read'), point('written', 'disk.io.direction', 'write')]],
  ['process.context_switches', 'Counter', '{context_switch}', 'Context switches of the tree, as far as they were seen.', [
    point('voluntary', 'process.context_switch.type', 'voluntary'), point('involuntary', 'process.context_switch.type', 'involuntary')]],
  ['process.uptime', 'Gauge', 's', 'How long the command has been running.', [point('uptime')]],
  [`${OWN}.process.memory.peak`, 'Gauge', 'By', 'The most resident memory since the last start.', [point('peak')]],
  [`${OWN}.process.tree.size`, 'UpDownCounter', '{process}', 'Processes that live in the tree.', [point('processes')]],
  [`${OWN}.process.restarts`, 'Counter', '{restart}', 'Restarts.', [point('restarts')]],
  [`${OWN}.process.start_failures`, 'Counter', '{failure}', 'Starts at which the command could not be executed.', [point('startFailures')]],
  [`${OWN}.process.exits`, 'Counter', '{exit}', 'Ends of the command.', ends],
  [`${OWN}.process.limits_reached`, 'Counter', '{limit}', 'How often a limit was reached.', [point('limitsReached')]],
  [`${OWN}.process.output.lines`, 'Counter', '{line}', 'Lines that the command has written.', streams('Lines')],
  [`${OWN}.process.output.size`, 'Counter', 'By', 'Bytes that the command has written.', streams('Bytes')],
  [`${OWN}.process.log.dropped_lines`, 'Counter', '{line}', 'Lines that the log in memory does not hold any more.', streams('Dropped')],
  [`${OWN}.process.log_file.lost_lines`, 'Counter', '{line}', 'Lines that the log file has missed.', [point('logFileLost')]],
  [`${OWN}.process.stdin.queued`, 'UpDownCounter', 'By', 'Bytes that wait to be written to stdin.', [point('stdinQueued')]],
]

/** The one that is not of a single process. */
const BY_STATE = [`${OWN}.processes`, 'UpDownCounter', '{process}', 'Processes that the manager knows, by state.']

/** Of a missing package, in words that say what helps. */
function loadApi() {
  try {
    return require('@opentelemetry/api')
  } catch (cause) {
    if (cause?.code !== 'MODULE_NOT_FOUND') throw cause
    const message = 'mcp-process-manager/opentelemetry needs the package @opentelemetry/api, which is not installed: `npm install @opentelemetry/api`'
    const error = coded(Error, 'ERR_OPENTELEMETRY_MISSING', message)
    error.cause = cause
    throw error
  }
}

function readObject(value, field, wanted) {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(field, wanted, value)
  return value
}

function readMeter(options, api) {
  const meter = own(options, 'meter')
  if (meter === undefined) return api.metrics.getMeter(SCOPE, version)
  if (typeof meter?.addBatchObservableCallback === 'function') return meter
  throw wrongType('options.meter', 'a Meter of @opentelemetry/api', meter)
}

function create(meter, { ValueType }, [name, kind, unit, description]) {
  const valueType = unit === 's' ? ValueType.DOUBLE : ValueType.INT
  return meter[`createObservable${kind}`](name, { unit, description, valueType })
}

/* What runs no more uses nothing. That is said, since an SDK may go on exporting the last value that it got. */
const fallsToZero = ([, kind], figure) => kind === 'UpDownCounter' || figure === 'uptime'

/** One collection of the figures of a manager, and what it has to remember for the next one. */
class Observer {
  #manager
  #observables
  #byState
  #shared
  #known = new Map()
  #states = new Set()

  constructor(manager, observables, byState, shared) {
    this.#manager = manager
    this.#observables = observables
    this.#byState = byState
    this.#shared = shared
  }

  async observe(result) {
    const report = await this.#manager[readReport]()
    const gone = this.#known
    this.#known = new Map()
    for (const { id, command, state, figures } of report) {
      const attributes = { ...this.#shared, [`${OWN}.process.id`]: id, 'process.command': command }
      const key = JSON.stringify([id, command])
      gone.delete(key)
      this.#known.set(key, attributes)
      this.#states.add(state)
      this.#observeProcess(result, attributes, figures)
    }
    for (const attributes of gone.values()) this.#observeProcess(result, attributes, {})
    for (const state of this.#states) {
      const count = report.filter((process) => process.state === state).length
      result.observe(this.#byState, count, { ...this.#shared, [`${OWN}.process.state`]: state })
    }
  }

  /* Of one that has been removed there are no figures; what is not known is left out. */
  #observeProcess(result, attributes, figures) {
    const runs = figures.uptime >= 0
    for (const [place, row] of instruments.entries()) {
      const [, , unit, , points] = row
      for (const { figure, attributes: more } of points) {
        const value = !runs && fallsToZero(row, figure) ? 0 : figures[figure]
        if (value >= 0) result.observe(this.#observables[place], unit === 's' ? value / 1e6 : value, { ...attributes, ...more })
      }
    }
  }
}

/**
 * Lets a meter observe all processes of a manager at each collection, from now on.
 *
 * @param {import('./process-manager')} manager
 * @param {{ meter?: import('@opentelemetry/api').Meter, attributes?: object }} [options] meter: that of the global
 *   provider if not given; attributes: put on every point, such as what tells this manager from another one
 * @returns {{ unregister(): void }} ends it
 */
function observe(manager, options) {
  const api = loadApi()
  if (typeof manager?.[readReport] !== 'function') throw wrongType('manager', 'a ProcessManager', manager)
  const given = readObject(options, 'options', 'an object')
  const shared = { ...readObject(own(given, 'attributes'), 'options.attributes', 'an object') }
  const meter = readMeter(given, api)
  const observables = instruments.map((row) => create(meter, api, row))
  const byState = create(meter, api, BY_STATE)
  const all = [...observables, byState]
  const observer = new Observer(manager, observables, byState, shared)
  const callback = (result) => observer.observe(result)
  meter.addBatchObservableCallback(callback, all)
  const unregister = () => meter.removeBatchObservableCallback(callback, all)
  return { unregister, [dispose]: unregister }
}

module.exports = { observe }

'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const api = require('@opentelemetry/api')
const { InMemoryMetricExporter, MeterProvider, AggregationTemporality, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics')
const conventions = require('@opentelemetry/semantic-conventions/incubating')
const { observe } = require('../../lib/opentelemetry')
const { makeManager, startReady, exitOf, once, thrownBy, preload } = require('../support/manager')
const { fixture } = require('../support/children')

const providers = new Set()

afterEach(async () => {
  for (const provider of providers) await provider.shutdown()
  providers.clear()
  api.metrics.disable()
})

/** A provider that exports when it is told to: { provider, meter, collect }. */
function makeProvider (temporality = AggregationTemporality.CUMULATIVE) {
  const exporter = new InMemoryMetricExporter(temporality)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  providers.add(provider)
  /* Metrics by name, each with its descriptor and points [attributes, value]. */
  const collect = async () => {
    exporter.reset()
    await provider.forceFlush()
    const scopes = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
    return Object.fromEntries(scopes.flatMap(({ metrics }) => metrics).map(({ descriptor, dataPoints, isMonotonic }) => {
      const points = dataPoints.map(({ attributes, value }) => [attributes, value])
      return [descriptor.name, { ...descriptor, isMonotonic, points }]
    }))
  }
  return { provider, meter: provider.getMeter('test'), collect }
}

const ID = 'mcp_process_manager.process.id'
const idle = config => ({ command: fixture('touch-memory'), args: ['30'], ...config })

/** The value of the one point with these attributes; undefined if there is none. */
function valueOf (metrics, name, attributes) {
  const points = metrics[name]?.points ?? []
  const found = points.filter(([has]) => Object.entries(attributes).every(([key, value]) => has[key] === value))
  expect(found.length).toBeLessThanOrEqual(1)
  return found[0]?.[1]
}

/** Collects until the process has been sampled, which takes a turn of a busy loop. */
async function collectSampled (collect, id) {
  for (let tries = 0; tries < 200; tries++) {
    const metrics = await collect()
    if (valueOf(metrics, 'process.memory.usage', { [ID]: id }) !== undefined) return metrics
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  throw new Error(`${id} has never been sampled`)
}

describe('observe', () => {
  test('gives what the semantic conventions know their names, units and attributes', async () => {
    const manager = makeManager()
    const { meter, collect } = makeProvider()
    observe(manager, { meter })
    const id = await startReady(manager, idle({ id: 'server' }))
    const metrics = await collectSampled(collect, id)
    const known = Object.entries(conventions).filter(([key]) => key.startsWith('METRIC_PROCESS_')).map(([, name]) => name)
    const names = Object.keys(metrics).filter(name => !name.startsWith('mcp_process_manager.'))
    expect(names).toHaveLength(7)
    expect(known).toEqual(expect.arrayContaining(names))
    const shape = ([name, { type, unit, valueType, points }]) => [name, type, unit, valueType, points.map(([{ [ID]: id, 'process.command': command, ...rest }]) => {
      expect({ id, command }).toEqual({ id: 'server', command: fixture('touch-memory') })
      return rest
    })]
    expect(Object.entries(metrics).filter(([name]) => names.includes(name)).map(shape)).toEqual([
      ['process.cpu.time', 'OBSERVABLE_COUNTER', 's', api.ValueType.DOUBLE, [{ [conventions.ATTR_CPU_MODE]: 'user' }, { [conventions.ATTR_CPU_MODE]: 'system' }]],
      ['process.memory.usage', 'OBSERVABLE_UP_DOWN_COUNTER', 'By', api.ValueType.INT, [{}]],
      ['process.thread.count', 'OBSERVABLE_UP_DOWN_COUNTER', '{thread}', api.ValueType.INT, [{}]],
      ['process.unix.file_descriptor.count', 'OBSERVABLE_UP_DOWN_COUNTER', '{file_descriptor}', api.ValueType.INT, [{}]],
      ['process.disk.io', 'OBSERVABLE_COUNTER', 'By', api.ValueType.INT, [{ [conventions.ATTR_DISK_IO_DIRECTION]: 'read' }, { [conventions.ATTR_DISK_IO_DIRECTION]: 'write' }]],
      ['process.context_switches', 'OBSERVABLE_COUNTER', '{context_switch}', api.ValueType.INT, [
        { [conventions.ATTR_PROCESS_CONTEXT_SWITCH_TYPE]: 'voluntary' }, { [conventions.ATTR_PROCESS_CONTEXT_SWITCH_TYPE]: 'involuntary' }]],
      ['process.uptime', 'OBSERVABLE_GAUGE', 's', api.ValueType.DOUBLE, [{}]]
    ])
    for (const [name, { description }] of Object.entries(metrics)) expect([name, description]).toEqual([name, expect.stringMatching(/^[A-Z].*\.$/)])
  })

  test('has the figures that getProcessMetrics has', async () => {
    const manager = makeManager({ monitorInterval: 0 })
    const { meter, collect } = makeProvider()
    observe(manager, { meter })
    const id = await startReady(manager, { command: 'sh', args: ['-c', `sh -c '${fixture('touch-memory')} 40; exit 0'; exit 0`] })
    const before = await manager.getProcessMetrics(id)
    const metrics = await collectSampled(collect, id)
    const after = await manager.getProcessMetrics(id)
    const get = (name, attributes) => valueOf(metrics, name, { [ID]: id, ...attributes })
    const between = (value, of) => {
      expect(value).toBeGreaterThanOrEqual(of(before))
      expect(value).toBeLessThanOrEqual(of(after))
    }
    expect(get('process.thread.count')).toBe(3)
    expect(get('mcp_process_manager.process.tree.size')).toBe(3)
    expect(get('process.unix.file_descriptor.count')).toBe(before.openDescriptors)
    between(get('process.memory.usage'), ({ memory }) => memory * 2 ** 20)
    between(get('process.cpu.time', { 'cpu.mode': 'user' }), ({ userCPUTime }) => userCPUTime / 1e6)
    between(get('process.disk.io', { 'disk.io.direction': 'write' }), ({ bytesWritten }) => bytesWritten)
    between(get('process.context_switches', { 'process.context_switch.type': 'voluntary' }), ({ voluntaryContextSwitches }) => voluntaryContextSwitches)
    expect(get('process.uptime')).toBeLessThanOrEqual(manager.getProcessStatus(id).uptime)
    expect(get('mcp_process_manager.process.output.lines', { 'log.iostream': 'stdout' })).toBe(1)
    expect(metrics['process.cpu.time'].isMonotonic).toBe(true)
  })

  test('counts on over restarts, and tells ends apart', async () => {
    const manager = makeManager({ restartDelay: 1 })
    manager.on('error', () => {})
    const { meter, collect } = makeProvider()
    observe(manager, { meter, attributes: { pool: 'a' } })
    const id = await startReady(manager, idle())
    const failing = manager.spawnProcess({ command: fixture('exit-with'), args: ['3'], autoRestart: true, maxRestarts: 1 })
    await once(manager, 'limit')
    const first = await collectSampled(collect, id)
    await manager.restartProcess(id)
    const second = await collectSampled(collect, id)
    for (const mode of ['user', 'system']) {
      const of = metrics => valueOf(metrics, 'process.cpu.time', { [ID]: id, 'cpu.mode': mode })
      expect(of(second)).toBeGreaterThanOrEqual(of(first))
    }
    const get = (id, name, attributes) => valueOf(second, `mcp_process_manager.process.${name}`, { [ID]: id, pool: 'a', ...attributes })
    expect(get(id, 'restarts')).toBe(1)
    expect(get(id, 'exits', { 'mcp_process_manager.exit.outcome': 'requested' })).toBe(1)
    expect(get(failing, 'exits', { 'mcp_process_manager.exit.outcome': 'failure' })).toBe(2)
    expect(get(failing, 'limits_reached')).toBe(1)
    const states = second['mcp_process_manager.processes'].points
    expect(states).toEqual([[{ pool: 'a', 'mcp_process_manager.process.state': 'running' }, 1], [{ pool: 'a', 'mcp_process_manager.process.state': 'failed' }, 1]])
    await manager.stopProcess(id)
    const third = await collect()
    expect(valueOf(third, 'process.cpu.time', { [ID]: id, 'cpu.mode': 'user' })).toBeGreaterThanOrEqual(0)
  })

  /* This SDK exports what it was told last, again and again, though it is not told of it any more. */
  test('says that what does not run uses nothing', async () => {
    const manager = makeManager()
    const { meter, collect } = makeProvider()
    observe(manager, { meter })
    const [stopped, removed, runs] = [await startReady(manager, idle()), await startReady(manager, idle()), await startReady(manager, idle())]
    const names = ['process.memory.usage', 'process.thread.count', 'process.unix.file_descriptor.count', 'process.uptime', 'mcp_process_manager.process.tree.size']
    for (const id of [stopped, removed, runs]) {
      const metrics = await collectSampled(collect, id)
      for (const name of names) expect(valueOf(metrics, name, { [ID]: id })).toBeGreaterThan(0)
    }
    await manager.stopProcess(stopped)
    await manager.stopProcess(removed)
    manager.removeProcess(removed)
    for (const metrics of [await collect(), await collect()]) {
      for (const id of [stopped, removed]) expect(names.map(name => valueOf(metrics, name, { [ID]: id }))).toEqual(names.map(() => 0))
      expect(valueOf(metrics, 'process.memory.usage', { [ID]: runs })).toBeGreaterThan(0)
      const states = Object.fromEntries(metrics['mcp_process_manager.processes'].points.map(([attributes, count]) => [attributes['mcp_process_manager.process.state'], count]))
      expect(states).toEqual({ running: 1, exited: 1 })
    }
    manager.removeProcess(stopped)
    const { points } = (await collect())['mcp_process_manager.processes']
    expect(points).toContainEqual([{ 'mcp_process_manager.process.state': 'exited' }, 0])
  })

  test('uses the global provider, and ends when it is told to', async () => {
    const manager = makeManager()
    const { provider, collect } = makeProvider(AggregationTemporality.DELTA)
    api.metrics.setGlobalMeterProvider(provider)
    const observation = observe(manager)
    const id = await startReady(manager, idle())
    expect(Object.keys(await collectSampled(collect, id)).length).toBeGreaterThan(10)
    observation.unregister()
    observation.unregister()
    await collect()
    expect(await collect()).toEqual({})
    const other = observe(manager)
    expect(Object.keys(await collect()).length).toBeGreaterThan(10)
    other[Symbol.dispose]()
    await collect()
    expect(await collect()).toEqual({})
  })

  test('observes nothing of a manager that is closed', async () => {
    const manager = makeManager()
    const { meter, collect } = makeProvider(AggregationTemporality.DELTA)
    observe(manager, { meter })
    const id = await startReady(manager, idle())
    await collectSampled(collect, id)
    const ended = exitOf(manager, id)
    const late = collect()
    await manager.cleanup()
    await Promise.all([ended, late])
    expect((await collect())['process.cpu.time']).toBeUndefined()
    expect((await collect())['process.memory.usage']).toBeUndefined()
  })

  test.each([
    [[], 'manager must be a ProcessManager; got undefined'],
    [[{}], 'manager must be a ProcessManager; got an object'],
    [[null], 'manager must be a ProcessManager; got null'],
    [['manager', 5], 'options must be an object; got 5 (number)'],
    [['manager', { meter: {} }], 'options.meter must be a Meter of @opentelemetry/api; got an object'],
    [['manager', { meter: null }], 'options.meter must be a Meter of @opentelemetry/api; got null'],
    [['manager', { attributes: 'a' }], 'options.attributes must be an object; got "a" (string)']
  ])('refuses %j', (args, message) => {
    const manager = makeManager()
    expect(thrownBy(() => observe(...args.map(arg => arg === 'manager' ? manager : arg)))).toMatchObject({ message, code: 'ERR_INVALID_ARG_TYPE' })
  })
})

test('without the API package it says what to install, and the rest works', () => {
  const root = path.join(__dirname, '..', '..')
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-opentelemetry-'))
  try {
    fs.cpSync(path.join(root, 'lib'), path.join(directory, 'lib'), { recursive: true })
    fs.copyFileSync(path.join(root, 'package.json'), path.join(directory, 'package.json'))
    fs.symlinkSync(path.join(root, 'build'), path.join(directory, 'build'))
    fs.mkdirSync(path.join(directory, 'node_modules'))
    fs.symlinkSync(path.join(root, 'node_modules', 'node-gyp-build'), path.join(directory, 'node_modules', 'node-gyp-build'))
    const source = `
      const ProcessManager = require('mcp-process-manager')
      const { observe } = require('mcp-process-manager/opentelemetry')
      try { observe(new ProcessManager()) } catch ({ code, message }) { console.log(JSON.stringify({ code, message })) }`
    const env = { ...process.env, ...(preload && { LD_PRELOAD: preload }) }
    const said = JSON.parse(execFileSync(process.execPath, ['-e', source], { cwd: directory, env, encoding: 'utf8' }))
    expect(said).toEqual({
      code: 'ERR_OPENTELEMETRY_MISSING',
      message: 'mcp-process-manager/opentelemetry needs the package @opentelemetry/api, which is not installed: `npm install @opentelemetry/api`'
    })
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
})

'use strict'

const { makeManager, startReady, exitOf, once, thrownBy } = require('../support/manager')
const { fixture, until } = require('../support/children')

/** Looks until there are so many samples of a process. */
function sampled (manager, id, count) {
  return until(() => {
    const history = manager.getMetricsHistory(id)
    return history.count >= count && history
  }, `there are ${count} samples of ${id}`)
}

const burn = config => ({ command: fixture('burn-cpu'), ...config })
const idle = config => ({ command: fixture('touch-memory'), args: ['30'], ...config })

describe('getMetricsHistory', () => {
  test('has what was used, sample by sample, though nobody listens', async () => {
    const manager = makeManager({ monitorInterval: 100, metricsHistory: 20 })
    const began = Date.now()
    const id = await startReady(manager, idle())
    const { samples, ...summary } = await sampled(manager, id, 3)
    for (const sample of samples) {
      expect(sample).toEqual({
        time: expect.any(Number), span: expect.any(Number), start: 0, cpu: expect.any(Number), memory: expect.any(Number),
        processes: 1, threads: 1
      })
      expect(sample.span).toBeGreaterThanOrEqual(100)
      expect(sample.cpu).toBeGreaterThanOrEqual(0)
    }
    const times = samples.map(sample => sample.time)
    expect(times[0]).toBeGreaterThanOrEqual(began)
    expect(times.at(-1)).toBeLessThanOrEqual(Date.now() + 1)
    expect([...times].sort((a, b) => a - b)).toEqual(times)
    const memory = samples.map(sample => sample.memory)
    expect(Math.max(...memory)).toBeGreaterThan(30)
    expect(summary).toEqual({
      count: samples.length,
      cpu: expect.objectContaining({ max: Math.max(...samples.map(sample => sample.cpu)) }),
      memory: { min: Math.min(...memory), max: Math.max(...memory), mean: expect.closeTo(memory.reduce((a, b) => a + b) / memory.length) },
      processes: { min: 1, mean: 1, max: 1 },
      threads: { min: 1, mean: 1, max: 1 }
    })
  })

  test('misses no CPU, whoever else looks meanwhile', async () => {
    const manager = makeManager({ monitorInterval: 150, metricsHistory: 100 })
    const id = manager.spawnProcess(burn())
    const looking = setInterval(() => manager.getProcessStatus(id), 7)
    try {
      await sampled(manager, id, 5)
    } finally {
      clearInterval(looking)
    }
    const { samples, cpu } = manager.getMetricsHistory(id)
    const { userCPUTime, systemCPUTime } = await manager.getProcessMetrics(id)
    const since = Date.now() - samples.at(-1).time
    const spans = samples.reduce((sum, { span }) => sum + span, 0)
    const used = samples.reduce((sum, { cpu, span }) => sum + cpu * span / 100, 0)
    expect(cpu.mean).toBeCloseTo(100 * used / spans, 6)
    expect(spans).toBeCloseTo(samples.at(-1).time - samples[0].time + samples[0].span, -2)
    /* One thread uses no more than the time that has passed since the last sample; the kernel counts in ticks. */
    const total = (userCPUTime + systemCPUTime) / 1000
    expect(used).toBeGreaterThan(0)
    expect(used).toBeLessThanOrEqual(total + 0.001) // sums of fractions
    expect(total - used).toBeLessThan(since + 20)
  })

  test('has no more samples than are wanted, those of each start, and those of the past', async () => {
    const manager = makeManager({ monitorInterval: 100 })
    const few = await startReady(manager, idle({ metricsHistory: 2 }))
    const many = await startReady(manager, idle({ metricsHistory: 50 }))
    const none = await startReady(manager, idle())
    await sampled(manager, many, 4)
    expect(manager.getMetricsHistory(few).count).toBe(2)
    expect(manager.getMetricsHistory(few).samples[1].time).toBeGreaterThan(manager.getMetricsHistory(many).samples[2].time)
    expect(manager.getMetricsHistory(none)).toEqual({ count: 0, cpu: null, memory: null, processes: null, threads: null, samples: [] })

    await manager.restartProcess(many)
    const first = manager.getMetricsHistory(many)
    await until(() => manager.getMetricsHistory(many, { start: 1 }).count >= 2, 'the second start is sampled')
    expect(manager.getMetricsHistory(many, { start: 0 })).toEqual(first)
    expect(manager.getMetricsHistory(many, { start: 2 }).count).toBe(0)
    expect(manager.getMetricsHistory(many, { start: 1 }).samples.every(({ start }) => start === 1)).toBe(true)

    await manager.stopProcess(many)
    const all = manager.getMetricsHistory(many)
    expect(all.samples.map(({ start }) => start)).toEqual([...all.samples.map(() => 1).fill(0, 0, first.count)])
    expect(manager.removeProcess(many)).toBe(true)
    expect(manager.getMetricsHistory(many)).toBeUndefined()
  })

  test('of a window, of what came since a moment, or the summary alone', async () => {
    const manager = makeManager({ monitorInterval: 100, metricsHistory: 100 })
    const id = await startReady(manager, idle())
    const { samples } = await sampled(manager, id, 5)
    const { time } = samples[2]
    const since = manager.getMetricsHistory(id, { since: time }).samples
    expect(since.slice(0, samples.length - 3)).toEqual(samples.slice(3))
    expect(manager.getMetricsHistory(id, { since: time, window: 60_000 }).samples[0]).toEqual(samples[3])
    expect(manager.getMetricsHistory(id, { since: Infinity }).count).toBe(0)
    expect(manager.getMetricsHistory(id, { window: Infinity }).samples[0]).toEqual(samples[0])
    await manager.stopProcess(id)
    const all = manager.getMetricsHistory(id)
    const window = Date.now() - all.samples[3].time
    const last = manager.getMetricsHistory(id, { window }).samples
    expect(last.length).toBeLessThanOrEqual(all.count - 3)
    expect(all.samples.slice(all.count - last.length)).toEqual(last)
    const summary = manager.getMetricsHistory(id, { samples: false })
    expect(Object.keys(summary)).toEqual(['count', 'cpu', 'memory', 'processes', 'threads'])
    expect({ ...summary, samples: all.samples }).toEqual(all)
  })

  test('tells a burning start from an idle one, and as much as the kernel does', async () => {
    const manager = makeManager({ monitorInterval: 100, metricsHistory: 1000 })
    const busy = manager.spawnProcess(burn())
    const lazy = await startReady(manager, idle())
    const spans = id => manager.getMetricsHistory(id).samples.reduce((sum, { span }) => sum + span, 0)
    const used = id => manager.getMetricsHistory(id).samples.reduce((sum, { cpu, span }) => sum + cpu / 100 * span, 0)
    /* However much a busy machine gives it at a time. */
    await until(() => used(busy) > 500, 'it has burnt half a second', 60000)
    await sampled(manager, lazy, 5)
    const { cpu } = manager.getMetricsHistory(busy)
    expect(cpu.mean).toBeCloseTo(used(busy) / spans(busy) * 100, 3)
    expect(cpu.min).toBeLessThanOrEqual(cpu.mean)
    expect(cpu.mean).toBeLessThanOrEqual(cpu.max)
    const told = used(busy)
    const { userCPUTime, systemCPUTime } = await manager.getProcessMetrics(busy)
    expect(told).toBeLessThanOrEqual((userCPUTime + systemCPUTime) / 1000 + 1)
    expect(used(lazy)).toBeLessThan(told)
  }, 70000)

  test('keeps nothing by default, and nothing of what never ran', async () => {
    const manager = makeManager({ monitorInterval: 50 })
    manager.on('error', () => {})
    const missing = manager.spawnProcess({ command: '/none', metricsHistory: 10 })
    const id = await startReady(manager, idle())
    await once(manager, 'metrics')
    await once(manager, 'metrics')
    for (const each of [missing, id]) expect(manager.getMetricsHistory(each).count).toBe(0)
    expect(manager.getMetricsHistory('nobody')).toBeUndefined()
    const ended = exitOf(manager, id)
    await manager.stopProcess(id)
    await ended
    await manager.cleanup()
    expect(manager.getMetricsHistory(id)).toBeUndefined()
  })

  test.each([
    [[], 'query must be an object; got an array', 'ERR_INVALID_ARG_TYPE'],
    [5, 'query must be an object; got 5 (number)', 'ERR_INVALID_ARG_TYPE'],
    [null, 'query must be an object; got null', 'ERR_INVALID_ARG_TYPE'],
    [{ since: '1' }, 'query.since must be a number of milliseconds of at least 0; got "1" (string)', 'ERR_INVALID_ARG_TYPE'],
    [{ since: -1 }, 'query.since must be a number of milliseconds of at least 0; got -1', 'ERR_OUT_OF_RANGE'],
    [{ since: NaN }, 'query.since must be a number of milliseconds of at least 0; got NaN', 'ERR_OUT_OF_RANGE'],
    [{ window: 0 }, 'query.window must be a number of milliseconds above 0; got 0', 'ERR_OUT_OF_RANGE'],
    [{ window: 1n }, 'query.window must be a number of milliseconds above 0; got a bigint', 'ERR_INVALID_ARG_TYPE'],
    [{ start: 0.5 }, 'query.start must be an integer of at least 0; got 0.5', 'ERR_OUT_OF_RANGE'],
    [{ samples: 1 }, 'query.samples must be true or false; got 1 (number)', 'ERR_INVALID_ARG_TYPE']
  ])('refuses %p', (query, message, code) => {
    const manager = makeManager()
    expect(thrownBy(() => manager.getMetricsHistory('any', query))).toMatchObject({ message, code })
  })

  test.each([
    ['metricsHistory', -1], ['metricsHistory', 1.5], ['metricsHistory', 1e7], ['metricsHistory', '5']
  ])('refuses the option %s: %p', (name, value) => {
    const wanted = typeof value === 'string' ? 'an integer' : 'an integer from 0 to 1000000'
    for (const [where, act] of [
      ['options', () => makeManager({ [name]: value })],
      ['config', () => makeManager().spawnProcess({ command: 'true', [name]: value })]
    ]) expect(thrownBy(act).message).toContain(`${where}.${name} must be ${wanted}; got`)
  })
})

'use strict'

const { makeManager, once, startReady, exitOf } = require('../support/manager')
const { fixture } = require('../support/children')

const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

const { inspect } = require('node:util')

describe('the metrics event', () => {
  test('has all that run, by id, in one object', async () => {
    const manager = makeManager({ monitorInterval: 50 })
    const ids = ['one', '__proto__', 'constructor', '\u{1f600}']
    for (const id of ids) await startReady(manager, { id, command: fixture('touch-memory'), args: ['20'] })
    manager.spawnProcess({ id: 'none', command: '/none' })
    manager.on('error', () => {})
    const began = Date.now()
    const { time, processes, ...rest } = await once(manager, 'metrics', ({ processes }) => Object.keys(processes).length === ids.length)
    expect(rest).toEqual({})
    expect(time).toBeGreaterThan(began - 1)
    expect(time).toBeLessThan(Date.now() + 1)
    expect(Object.getPrototypeOf(processes)).toBe(null)
    expect(Object.keys(processes)).toEqual(ids)
    for (const id of ids) {
      const { memory, cpu, ...figures } = processes[id]
      expect(memory).toBeGreaterThan(20)
      expect(figures).toEqual({
        pid: manager.getProcessStatus(id).pid, own: { cpu, memory }, processes: 1, threads: 1,
        peakMemory: expect.any(Number), userCPUTime: expect.any(Number), systemCPUTime: expect.any(Number)
      })
      expect(figures.peakMemory).toBeGreaterThanOrEqual(memory)
    }
  })

  test('has one of them without the others', async () => {
    const manager = makeManager({ monitorInterval: 50 })
    for (const id of ['one', 'two']) await startReady(manager, { id, command: fixture('say-ready') })
    const event = await once(manager, 'metrics', (event) => event.get('two') !== undefined)
    for (const id of ['none', 'get', '__proto__', '', undefined, 5]) expect(event.get(id)).toBeUndefined()
    const one = event.get('one')
    expect(one).toEqual(event.processes.one)
    expect(one).not.toEqual(event.processes.two)
    expect(event.get('one')).toEqual(one)
  })

  test('is as plain as the others to who copies, prints or compares it', async () => {
    const manager = makeManager({ monitorInterval: 50 })
    await startReady(manager, { id: 'one', command: fixture('say-ready') })
    const event = () => once(manager, 'metrics', (event) => event.get('one') !== undefined)
    const text = expect.stringMatching(/"time":\d.*"processes":\{"one":\{"pid":\d/)
    expect(JSON.stringify(await event())).toEqual(text)
    expect(JSON.stringify({ ...(await event()) })).toEqual(text)
    expect(JSON.stringify(structuredClone(await event()))).toEqual(text)
    expect(inspect(await event())).toMatch(/^\{\s+time: \d.*\s+processes: \[Object: null prototype\] \{\s+one: \{\s+pid: \d/)
    expect(await event()).toEqual({ time: expect.any(Number), processes: { one: expect.objectContaining({ processes: 1 }) } })
    const changed = await event()
    changed.processes.one.cpu = -1
    expect(changed.processes.one.cpu).toBe(-1)
    const frozen = Object.freeze(await event())
    expect(frozen.processes.one).toEqual(frozen.get('one'))
    expect(JSON.stringify(frozen)).toEqual(text)
    const seenThrough = new Proxy(await event(), {})
    expect(seenThrough.get('one')).toEqual(Object.create(seenThrough).processes.one)
    for (const event of [changed, await once(manager, 'metrics')]) {
      event.processes = undefined
      expect(event.processes).toBeUndefined()
    }
  })

  test('has what was seen then, whenever it is looked at', async () => {
    const manager = makeManager({ monitorInterval: 50 })
    await startReady(manager, { id: 'one', command: fixture('say-ready') })
    const event = await once(manager, 'metrics', ({ processes }) => 'one' in processes)
    const first = await once(manager, 'metrics')
    const { pid } = manager.getProcessStatus('one')
    await manager.cleanup()
    expect(first.get('one')).toMatchObject({ pid, processes: 1 })
    expect(first.processes).toEqual({ one: first.get('one') })
    expect(Object.keys(event.processes)).toEqual(['one'])
  })

  test('tells what has been used, in microseconds, also by those that have ended', async () => {
    const manager = makeManager({ monitorInterval: 50 })
    const burn = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', `sh -c '${burn}; exit 0'; ${burn}; echo ready; read x`] })
    const used = ({ userCPUTime, systemCPUTime }) => userCPUTime + systemCPUTime
    const before = await once(manager, 'metrics')
    await once(manager, 'stdout')
    const { processes: { [id]: figures } } = await once(manager, 'metrics', ({ time }) => time >= before.time)
    manager.closeStdin(id)
    const { resourceUsage } = await exitOf(manager, id)
    if (resourceUsage) {
      /* What ends a moment later is the shell's last steps; times are cut to ticks. */
      expect(used(figures)).toBeLessThanOrEqual(used(resourceUsage) + 60000)
      expect(used(figures)).toBeGreaterThan(used(resourceUsage) - 60000)
    }
    expect(used(figures)).toBeGreaterThan(0)
  })

  test('comes again and again while something runs, and not after that', async () => {
    const manager = makeManager({ monitorInterval: 20 })
    let events = 0
    manager.on('metrics', () => { events++ })
    await wait(100)
    expect(events).toBe(0)
    const id = await startReady(manager, { command: fixture('say-ready') })
    for (let i = 0; i < 3; i++) await once(manager, 'metrics')
    await manager.stopProcess(id)
    const before = events
    await wait(100)
    expect(events).toBe(before)
    await manager.restartProcess(id)
    await once(manager, 'metrics')
  })

  test('does not come with monitorInterval 0', async () => {
    const manager = makeManager({ monitorInterval: 0 })
    let events = 0
    manager.on('metrics', () => { events++ })
    await startReady(manager, { command: fixture('say-ready') })
    manager.listProcesses()
    await wait(100)
    expect(events).toBe(0)
  })

  test('may be the moment to do anything', async () => {
    const manager = makeManager({ monitorInterval: 20 })
    const ids = []
    for (let i = 0; i < 3; i++) ids.push(await startReady(manager, { command: fixture('say-ready') }))
    const stopped = await new Promise(resolve => {
      manager.once('metrics', () => {
        const stops = ids.map(id => manager.stopProcess(id, 0))
        manager.spawnProcess({ command: fixture('say-ready') })
        manager.listProcesses()
        resolve(Promise.all(stops))
      })
    })
    expect(stopped).toEqual([true, true, true])
    const closed = new Promise(resolve => manager.once('metrics', () => resolve(manager.cleanup())))
    await closed
  })
})

test('rounds of many may be left at any moment, and come again', async () => {
  const manager = makeManager({ monitorInterval: 5 })
  const startMany = () => Promise.all(Array.from({ length: 18 }, () => startReady(manager, { command: fixture('say-ready') })))
  for (let i = 0; i < 3; i++) {
    await startMany()
    for (let rounds = 0; rounds < 3; rounds++) {
      await once(manager, 'metrics', ({ processes }) => Object.keys(processes).length === 18)
    }
    await manager.stopAll()
  }
  const ids = await startMany()
  const last = await new Promise(resolve => {
    manager.on('metrics', event => {
      if (event.get(ids[17]) === undefined) return
      manager.cleanup().then(() => resolve(event))
    })
  })
  expect(Object.keys(last.processes).sort()).toEqual(ids.sort())
}, 30000)

test('a round of samples leaves the loop its turns between large trees', async () => {
  const manager = makeManager({ monitorInterval: 30 })
  for (let i = 0; i < 4; i++) await startReady(manager, { command: fixture('fork-levels'), args: ['6', '3', 'stay'] })
  let turns = 0
  let counting
  const turn = () => {
    turns++
    counting = setImmediate(turn)
  }
  await once(manager, 'metrics')
  counting = setImmediate(turn)
  for (let i = 0; i < 3; i++) {
    const before = turns
    const { processes } = await once(manager, 'metrics')
    expect(turns - before).toBeGreaterThan(5)
    for (const { processes: count } of Object.values(processes)) expect(count).toBe(259)
  }
  clearImmediate(counting)
}, 30000)

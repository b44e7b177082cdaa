'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const { ProcessManager, makeManager, startReady, exitOf, once, portable } = require('../support/manager')
const { fixture, until } = require('../support/children')
const { parse, valueOf, hasPromtool, checkMetrics } = require('../support/prometheus')

const idle = config => ({ command: fixture('touch-memory'), args: ['30'], ...config })

/** Reads the values of one process: get('memory', { … }) is that of mcp_process_memory. */
async function scrape (manager, id) {
  const families = parse(await manager.metricsText())
  return (name, labels) => valueOf(families, `mcp_process_${name}`, id === undefined ? labels : { id, ...labels })
}

/** Scrapes until the process has been sampled, which takes a turn of a busy loop. */
async function scrapeSampled (manager, id) {
  for (let tries = 0; tries < 200; tries++) {
    const get = await scrape(manager, id)
    if (get('resident_memory_bytes') !== undefined) return get
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  throw new Error(`${id} has never been sampled`)
}

/* All that may end differently from process to process. */
async function makeVariety () {
  const manager = makeManager({ maxProcesses: 6, restartDelay: 1 })
  manager.on('error', () => {})
  const ids = ['plain', 'a "quoted" \\ id', '__proto__', '\u{1f600}', 'a,b="c"} 1']
  for (const id of ids) await startReady(manager, idle({ id }))
  manager.spawnProcess({ id: 'none', command: './no\nsuch\r "file" \\n' })
  const failing = manager.spawnProcess({ id: 'failing', command: fixture('exit-with'), args: ['3'], autoRestart: true, maxRestarts: 2 })
  await once(manager, 'limit', ({ processId }) => processId === failing)
  return { manager, ids }
}

describe('metricsText', () => {
  test('is what the format wants', async () => {
    const { manager, ids } = await makeVariety()
    const families = parse(await manager.metricsText())
    expect(families.size).toBeGreaterThan(20)
    for (const [name, { help, type, samples }] of families) {
      expect(name).toMatch(/^mcp_process_/)
      expect(help).toMatch(/^[A-Z1].*\.$/)
      expect(samples.length).toBeGreaterThan(0)
      expect(name.endsWith('_total')).toBe(type === 'counter')
    }
    expect(valueOf(families, 'mcp_process_info', { id: 'none', command: './no\nsuch\r "file" \\n' })).toBe(1)
    const known = families.get('mcp_process_info').samples.map(({ labels }) => labels.id)
    expect(known).toEqual([...ids, 'none', 'failing'])
    for (const id of known) {
      const states = families.get('mcp_process_state').samples.filter(({ labels }) => labels.id === id)
      expect(states).toHaveLength(7)
      expect(states.filter(({ value }) => value === 1).map(({ labels }) => labels.state)).toEqual([manager.getProcessStatus(id).state])
    }
  })

  test('tells of a tree what getProcessMetrics tells, in base units', async () => {
    const manager = makeManager({ monitorInterval: 0 })
    const id = await startReady(manager, { command: 'sh', args: ['-c', `sh -c '${fixture('touch-memory')} 40; exit 0'; exit 0`] })
    const before = await manager.getProcessMetrics(id)
    const get = await scrapeSampled(manager, id)
    const after = await manager.getProcessMetrics(id)
    const between = (value, of) => {
      expect(value).toBeGreaterThanOrEqual(of(before))
      expect(value).toBeLessThanOrEqual(of(after))
    }
    expect(get('processes')).toBe(3)
    expect(get('threads')).toBe(3)
    expect(get('open_fds')).toBe(before.openDescriptors)
    between(get('resident_memory_bytes'), ({ memory }) => memory * 2 ** 20)
    between(get('resident_memory_peak_bytes'), ({ peakMemory }) => peakMemory * 2 ** 20)
    between(get('cpu_seconds_total', { mode: 'user' }), ({ userCPUTime }) => userCPUTime / 1e6)
    between(get('cpu_seconds_total', { mode: 'system' }), ({ systemCPUTime }) => systemCPUTime / 1e6)
    between(get('context_switches_total', { type: 'voluntary' }), ({ voluntaryContextSwitches }) => voluntaryContextSwitches)
    between(get('context_switches_total', { type: 'involuntary' }), ({ involuntaryContextSwitches }) => involuntaryContextSwitches)
    between(get('storage_read_bytes_total'), ({ bytesRead }) => bytesRead)
    between(get('storage_written_bytes_total'), ({ bytesWritten }) => bytesWritten)
    expect(get('resident_memory_bytes')).toBeGreaterThan(40 * 2 ** 20)
    const { uptime } = manager.getProcessStatus(id)
    expect(get('uptime_seconds')).toBeGreaterThan(0)
    expect(get('uptime_seconds')).toBeLessThanOrEqual(uptime)
    expect(get('start_time_seconds')).toBeGreaterThan(Date.now() / 1000 - uptime - 1)
    expect(get('start_time_seconds')).toBeLessThanOrEqual(Date.now() / 1000)
  })

  test('has counters that go on over restarts', async () => {
    const manager = makeManager({ monitorInterval: 50, containment: 'group' })
    const burn = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo ready; read x'
    const id = await startReady(manager, { command: 'sh', args: ['-c', burn] })
    let used = 0
    let last = await scrapeSampled(manager, id)
    const counters = [
      ['cpu_seconds_total', { mode: 'user' }], ['cpu_seconds_total', { mode: 'system' }],
      ['context_switches_total', { type: 'voluntary' }], ['context_switches_total', { type: 'involuntary' }],
      ['output_lines_total', { stream: 'stdout' }], ['storage_read_bytes_total'], ['storage_written_bytes_total']
    ]
    for (let restarts = 1; restarts <= 3; restarts++) {
      const exit = exitOf(manager, id)
      const ready = once(manager, 'stdout')
      await manager.restartProcess(id)
      const { resourceUsage } = await exit
      if (resourceUsage) used += (resourceUsage.userCPUTime + resourceUsage.systemCPUTime) / 1e6
      await ready
      const get = await scrapeSampled(manager, id)
      for (const [name, labels] of counters) expect(get(name, labels)).toBeGreaterThanOrEqual(last(name, labels))
      expect(get('restarts_total')).toBe(restarts)
      expect(get('exits_total', { outcome: 'requested' })).toBe(restarts)
      expect(get('output_lines_total', { stream: 'stdout' })).toBe(restarts + 1)
      last = get
    }
    const exit = exitOf(manager, id)
    manager.closeStdin(id)
    const { resourceUsage } = await exit
    const get = await scrape(manager, id)
    const all = get('cpu_seconds_total', { mode: 'user' }) + get('cpu_seconds_total', { mode: 'system' })
    if (portable) {
      expect(all).toBeGreaterThan(0)
    } else {
      used += (resourceUsage.userCPUTime + resourceUsage.systemCPUTime) / 1e6
      expect(all).toBeGreaterThanOrEqual(used - 1e-6)
      /* A sample may have seen a tick more than the kernel's account, of either kind. */
      expect(all - used).toBeLessThan(4 * 0.021)
    }
    expect(get('exits_total', { outcome: 'failure' }) + get('exits_total', { outcome: 'success' })).toBe(1)
    expect(get('resident_memory_bytes')).toBeUndefined()
    expect(get('start_time_seconds')).toBeUndefined()
  })

  test('tells ends and refusals apart', async () => {
    const { manager } = await makeVariety()
    const killed = exitOf(manager, 'plain')
    manager.signalProcess('plain', 'SIGKILL')
    await killed
    await manager.stopProcess('__proto__')
    const get = await scrape(manager)
    expect(get('exits_total', { id: 'plain', outcome: 'signal' })).toBe(1)
    expect(get('last_exit_signal', { id: 'plain' })).toBe(os.constants.signals.SIGKILL)
    expect(get('last_exit_code', { id: 'plain' })).toBeUndefined()
    expect(get('exits_total', { id: '__proto__', outcome: 'requested' })).toBe(1)
    expect(get('exits_total', { id: 'failing', outcome: 'failure' })).toBe(3)
    expect(get('last_exit_code', { id: 'failing' })).toBe(3)
    expect(get('limits_reached_total', { id: 'failing' })).toBe(1)
    expect(get('start_failures_total', { id: 'none' })).toBe(1)
    expect(get('restarts_total', { id: 'failing' })).toBe(2)
    for (const id of ['one', 'two']) await startReady(manager, idle({ id }))
    for (let i = 1; i <= 2; i++) {
      if (i === 1) await startReady(manager, idle({ id: 'three' }))
      expect(() => manager.spawnProcess(idle())).toThrow('Process limit (6) exceeded')
      const get = await scrape(manager)
      expect(get('manager_limits_reached_total')).toBe(i)
      expect(get('manager_max_memory_bytes')).toBeUndefined()
      expect(get('manager_max_processes')).toBe(6)
      expect(get('manager_processes', { state: 'running' })).toBe(6)
      expect(get('manager_processes', { state: 'failed' })).toBe(2)
      expect(get('manager_spawned_processes_total')).toBe(10)
    }
  })

  test('tells of ends for a limit, and of who waits for a turn', async () => {
    const manager = makeManager({ maxSpawnsPerSecond: 0.001, autoRestart: true, restartDelay: 1, maxTotalMemory: 2 ** 40 })
    const large = manager.spawnProcess({ command: fixture('touch-memory'), args: ['80'], limits: { memory: 32 * 2 ** 20 } })
    await once(manager, 'queued')
    const dying = await startReady(manager, idle())
    manager.signalProcess(dying, 'SIGKILL')
    await once(manager, 'queued')
    const get = await scrape(manager)
    expect(get('exits_total', { id: large, outcome: 'limit' })).toBe(1)
    expect(get('exits_total', { id: large, outcome: 'requested' })).toBe(0)
    expect(get('limits_reached_total', { id: large })).toBe(1)
    expect(get('exits_total', { id: dying, outcome: 'signal' })).toBe(1)
    for (const [id, position] of [[large, 1], [dying, 2]]) {
      expect(get('queue_position', { id })).toBe(position)
      expect(get('state', { id, state: 'queued' })).toBe(1)
    }
    expect(get('manager_processes', { state: 'queued' })).toBe(2)
    expect(get('manager_max_memory_bytes')).toBe(2 ** 40)
  })

  test('counts output, what the log has lost, and what waits for stdin', async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-metrics-'))
    try {
      const manager = makeManager({ maxLogLines: 3 })
      const logged = manager.spawnProcess({ command: fixture('numbered-lines'), args: ['10'], logFile: path.join(directory, 'log') })
      await exitOf(manager, logged)
      const { stdout } = manager.getProcessStatus(logged).output
      let get = await scrape(manager, logged)
      expect(get('output_lines_total', { stream: 'stdout' })).toBe(10)
      expect(get('output_bytes_total', { stream: 'stdout' })).toBe(stdout.bytes)
      expect(get('log_dropped_lines_total', { stream: 'stdout' })).toBe(7)
      expect(get('log_cut_bytes_total', { stream: 'stdout' })).toBe(0)
      expect(get('output_lines_total', { stream: 'stderr' })).toBe(0)
      expect(get('log_file_lost_lines_total')).toBe(0)
      const lazy = await startReady(manager, { command: fixture('never-read-stdin') })
      manager.writeStdin(lazy, 'x'.repeat(3 << 20))
      manager.pauseOutput(lazy)
      await until(() => manager.getProcessStatus(lazy).output.stdout.paused, 'it is paused')
      get = await scrape(manager, lazy)
      expect(get('stdin_queued_bytes')).toBeGreaterThan(1 << 20)
      expect(get('output_paused')).toBe(1)
      expect(get('log_file_lost_lines_total')).toBeUndefined()
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  })

  test('names the limits that were given', async () => {
    const manager = makeManager()
    manager.on('error', () => {})
    const limits = { cpuSeconds: 20, fileSize: 2 ** 30, openFiles: 64, processes: 5000, addressSpace: 2 ** 40, dataSize: 2 ** 33, stackSize: 2 ** 23, lockedMemory: 0, coreSize: 0, memory: 2 ** 30 }
    /* Where limits cannot be had it is not started, and they are those that it was to have. */
    manager.spawnProcess({ id: 'held', command: fixture('say-ready'), limits })
    manager.spawnProcess({ id: 'free', command: fixture('say-ready') })
    const get = await scrape(manager)
    const names = ['cpu_seconds', 'file_size_bytes', 'open_fds', 'processes', 'address_space_bytes', 'data_size_bytes', 'stack_size_bytes', 'locked_memory_bytes', 'core_size_bytes', 'memory_bytes']
    expect(names.map(name => get(`limit_${name}`, { id: 'held' }))).toEqual(Object.values(limits))
    expect(names.map(name => get(`limit_${name}`, { id: 'free' }))).toEqual(names.map(() => undefined))
  })

  test('tells of an ended process until it is removed', async () => {
    const manager = makeManager()
    const id = await startReady(manager, idle())
    await manager.stopProcess(id)
    expect((await scrape(manager, id))('state', { state: 'exited' })).toBe(1)
    manager.removeProcess(id)
    expect((await scrape(manager, id))('state', { state: 'exited' })).toBeUndefined()
  })

  test('may be asked for many times at once, and whatever goes on meanwhile', async () => {
    const manager = makeManager()
    expect(parse(await manager.metricsText()).has('mcp_process_info')).toBe(false)
    const ids = []
    for (let i = 0; i < 3; i++) ids.push(await startReady(manager, idle()))
    const texts = Array.from({ length: 10 }, () => manager.metricsText())
    const [removed] = ids
    await manager.stopProcess(removed, 0)
    manager.removeProcess(removed)
    for (const text of await Promise.all(texts)) expect(parse(text).size).toBeGreaterThan(5)
    const late = [manager.metricsText(), manager.metricsText(), manager.metricsText()]
    await manager.cleanup()
    const [first] = await Promise.all(late)
    expect(parse(first).size).toBeGreaterThan(5)
    expect(await manager.metricsText()).toBe('')
  })

  test('those that wait for their turn when the manager is closed are answered, in that order', async () => {
    const manager = makeManager()
    const order = []
    const late = Array.from({ length: 4 }, (_, i) => manager.metricsText().finally(() => order.push(i)))
    await manager.cleanup()
    const [first, ...others] = await Promise.all(late)
    expect(parse(first).size).toBeGreaterThan(2)
    expect(others).toEqual(['', '', ''])
    expect(order).toEqual([0, 1, 2, 3])
  })

  /* JavaScript goes on for a while, but no promise can be made any more. */
  test.each([
    ['it', 'manager.metricsText()'],
    ['more metrics of a process', 'manager.getProcessMetrics(id).then(() => manager.getProcessStatus(id))'],
    ['those of any process', 'metrics.getProcessMetrics(process.pid).then(() => metrics.getMetrics(process.pid))']
  ])('%s may be under way when a worker ends', async (_, call) => {
    const source = `
      const { workerData: { lib, command }, parentPort } = require('node:worker_threads')
      const ProcessManager = require(lib + '/process-manager')
      const metrics = new (require(lib + '/process-metrics'))()
      const manager = new ProcessManager({ metricsHistory: 5, monitorInterval: 10 })
      const id = manager.spawnProcess({ command, args: ['4', '3', 'stay'] })
      manager.once('stdout', () => {
        for (let i = 0; i < 20; i++) ${call}
        parentPort.postMessage('begun')
      })`
    for (let i = 0; i < 6; i++) {
      const workerData = { lib: path.join(__dirname, '..', '..', 'lib'), command: fixture('fork-levels') }
      const worker = new Worker(source, { eval: true, workerData })
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
      await new Promise(resolve => setTimeout(resolve, i % 3))
      await worker.terminate()
    }
  }, 30000)

  test('is of this content type', () => {
    expect(ProcessManager.metricsContentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  })
})

/* Where PROMTOOL names one it has to run; else only who has installed it can ask it. */
const withPromtool = hasPromtool() ? test : test.skip

withPromtool('promtool finds no fault (skipped where there is no promtool, of Debian\'s package prometheus: PROMTOOL may name it)', async () => {
  const { manager } = await makeVariety()
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pm-metrics-'))
  try {
    manager.removeProcess('failing')
    await manager.stopProcess('plain')
    await startReady(manager, idle({ id: 'logged', logFile: path.join(directory, 'log') }))
    manager.spawnProcess({ id: 'held', command: '/none', limits: { cpuSeconds: 20, fileSize: 2 ** 30, openFiles: 64, processes: 5000, addressSpace: 2 ** 40, dataSize: 2 ** 33, stackSize: 2 ** 23, lockedMemory: 0, coreSize: 0, memory: 2 ** 30 } })
    const text = await manager.metricsText()
    expect(checkMetrics(text)).toEqual({ status: 0, stdout: '', stderr: '' })
    /* It is the one that finds faults. */
    expect(checkMetrics(text.replace('# TYPE mcp_process_info gauge', '# TYPE mcp_process_info number')).status).not.toBe(0)
    expect(checkMetrics(text.replace(/^# HELP .*\n/m, '')).status).not.toBe(0)
    await manager.stopProcess('logged')
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
})

// What an ES module may write.

import ProcessManager, { ProcessManager as Named } from 'mcp-process-manager'
import type {
  Containment, FollowOptions, HistorySample, HistorySummary, LogFile, LogQuery, LogRecord, Range, ResourceUsage, StopSignalName, StreamStatus
} from 'mcp-process-manager'
import { metrics as api } from '@opentelemetry/api'
import { observe, type Observation } from 'mcp-process-manager/opentelemetry'
import ProcessMetrics, { ProcessMetrics as NamedMetrics } from 'mcp-process-manager/process-metrics'
import { EventEmitter } from 'node:events'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Compiles only if A is exactly B. */
function same<A, B> (_: Same<A, B>): void {}

export const alike: typeof ProcessManager = Named
export const alikeMetrics: typeof ProcessMetrics = NamedMetrics

/* ---- options and configs ---- */

export const manager = new ProcessManager({
  maxProcesses: 100,
  maxTotalMemory: 4 * 2 ** 30,
  maxSpawnsPerSecond: Infinity,
  maxEnded: 100,
  monitorInterval: 0,
  metricsHistory: 720,
  maxLogLines: 1000,
  maxLogBytes: 4 * 2 ** 20,
  stopTimeout: Infinity,
  maxRestarts: 5,
  restartDelay: 1000,
  restartFactor: 2,
  maxRestartDelay: 30000,
  restartJitter: 0.1,
  stableAfter: 60000,
  stdin: 'pipe',
  encoding: 'utf8',
  containment: 'nested',
  killTree: false,
  eofTimeout: 500,
  hostExitTimeout: 2000,
  stopSignal: { signal: 'SIGINT', to: 'command' },
  allowedCommands: ['node'],
  limits: { openFiles: 256, memory: 2 ** 30, memoryAction: 'stop' },
  pipeSize: 65536,
  messages: 'json',
  maxMessageBytes: 2 ** 20,
  logMessages: false,
  logFile: { maxBytes: 2 ** 20, maxFiles: 2 },
  inheritEnv: 'safe',
  allowUnsafeEnv: ['LD_PRELOAD']
})

export const emitter: EventEmitter = manager

const id = manager.spawnProcess({
  id: 'server',
  command: 'node',
  args: ['server.js'],
  env: { NODE_ENV: 'production', DEBUG: undefined },
  workingDir: '/srv',
  autoRestart: true,
  maxLogLines: 10,
  maxRestarts: 1,
  restartDelay: 10,
  restartFactor: 1,
  maxRestartDelay: 100,
  restartJitter: 0,
  stableAfter: 1000,
  stopTimeout: 100,
  stdin: 'ignore',
  encoding: 'buffer',
  containment: 'group',
  killTree: true,
  eofTimeout: 0,
  hostExitTimeout: 0,
  stopSignal: { to: 'tree' },
  pipeSize: 4096,
  messages: 'raw',
  maxMessageBytes: 1024,
  logMessages: true,
  logFile: '/var/log/server.log',
  inheritEnv: ['PATH']
})
same<typeof id, string>(true)

// A constant and the host's own environment may be given.
const frozen = {
  command: 'node', args: ['-v'], stdin: 'pipe', containment: 'none', stopSignal: { signal: 'SIGHUP' }
} as const
manager.spawnProcess({ ...frozen, env: process.env })
manager.spawnProcess(frozen)

const logFile: LogFile = { path: '/var/log/server.log', maxBytes: 4096 }
manager.spawnProcess({ command: 'node', messages: 'none', logFile })
manager.spawnProcess({ command: 'node', logFile: { path: 'server.log', maxFiles: 1 } })

/* ---- results ---- */

const status = manager.getProcessStatus(id)
same<typeof status.status, 'running' | 'stopped' | 'error' | 'unknown'>(true)
same<typeof status.pid, number>(true)
// Beyond the component's own list, and not there for an unknown id.
export const exitCode: number | null | undefined = status.exitCode
export const held: Containment | undefined = status.containment
export const ownMemory: number | undefined = status.own?.memory
export const processes: number | undefined = status.processes
export const exitSignal: string | null | undefined = status.exitSignal

const logs = manager.getProcessLogs(id, 20)
same<typeof logs.stdout, string[]>(true)
same<typeof logs.stderr, string[]>(true)
same<ReturnType<typeof manager.getProcessLogs>, LogRecord[]>(true)

const query: LogQuery = { lines: Infinity, since: 3, stream: 'stderr', start: 0, search: 'error' }
for (const record of manager.getProcessLogs(id, query)) {
  same<typeof record.seq, number>(true)
  same<typeof record.time, number>(true)
  same<typeof record.stream, 'stdout' | 'stderr'>(true)
  same<typeof record.start, number>(true)
  same<typeof record.line, string>(true)
}

export async function follow (signal: AbortSignal): Promise<void> {
  const options: FollowOptions = { ...query, signal }
  for await (const { seq, line } of manager.followLogs(id, options)) console.log(seq + 1, line.length)
  const follower = manager.followLogs(id)
  same<typeof follower, AsyncIterableIterator<LogRecord>>(true)
  await follower.return?.()
}

// Not there for an unknown id.
same<NonNullable<typeof status.output>['stdout']['paused'], boolean>(true)
export const counters: StreamStatus | undefined = status.output?.stderr
export const dropped: number | undefined = status.output?.stdout.droppedLines

for (const entry of manager.listProcesses()) {
  same<typeof entry.id, string>(true)
  same<typeof entry.command, string>(true)
  same<typeof entry.status, 'running' | 'stopped' | 'error'>(true)
  same<typeof entry.pid, number>(true)
  same<typeof entry.uptime, number>(true)
  same<typeof entry.containment, 'tree' | 'nested' | 'group' | 'none'>(true)
}

export const flags: boolean[] = [
  manager.writeStdin(id, 'text\n'),
  manager.writeStdin(id, Buffer.from('bytes')),
  manager.writeStdin(id, new Uint8Array(3)),
  manager.sendMessage(id, { jsonrpc: '2.0', method: 'ping', id: 1 }),
  manager.sendMessage(id, '{}'),
  manager.pauseOutput(id),
  manager.resumeOutput(id),
  manager.closeStdin(id),
  manager.removeProcess(id),
  manager.signalProcess(id, 'SIGUSR1'),
  manager.signalProcess(id, 10, {}),
  manager.signalProcess(id, 'SIGHUP', { tree: true })
]

export const promises: Array<Promise<boolean>> = [
  manager.stopProcess(id),
  manager.stopProcess(id, 0),
  manager.restartProcess(id)
]

same<ReturnType<typeof manager.stopAll>, Promise<void>>(true)
same<ReturnType<typeof manager.cleanup>, Promise<void>>(true)

/* ---- events ---- */

manager
  .on('stdout', ({ processId, data }) => {
    same<typeof processId, string>(true)
    process.stdout.write(data)
  })
  .once('stderr', ({ data }) => { process.stderr.write(data) })
  .addListener('line', ({ processId, stream, line }) => {
    same<typeof processId, string>(true)
    same<typeof stream, 'stdout' | 'stderr'>(true)
    console.log(line)
  })
  .on('message', ({ processId, message }) => { console.log(processId.length, message.method) })
  .once('stray', ({ processId, line }) => { console.log(processId.length, line.length) })
  .on('exit', ({ processId, code, signal }) => {
    same<typeof processId, string>(true)
    same<typeof code, number | null>(true)
    // A name for process.kill, or what is printed of it.
    const name: string | null = signal
    console.log(name)
  })
  .on('exit', ({ resourceUsage }) => {
    same<typeof resourceUsage, ResourceUsage | null>(true)
    // Node's own has these fields too.
    const used: Partial<NodeJS.ResourceUsage> | null = resourceUsage
    console.log(used?.maxRSS, (resourceUsage?.userCPUTime ?? 0) + (resourceUsage?.systemCPUTime ?? 0))
  })
  .on('error', ({ processId, error }) => {
    same<typeof processId, string>(true)
    const failure: Error = error
    console.log(failure.message, error.code)
  })
  .on('restart', ({ processId, restarts, pid }) => { console.log(processId.length, restarts + pid) })
  .on('backoff', ({ processId, delay, restarts }) => { console.log(processId.length, delay + restarts) })
  .on('spawn', ({ processId, pid }) => { console.log(processId.length, pid + 1) })
  .on('drain', ({ processId }) => { console.log(processId.length) })
  .on('stop', ({ processId, stopped, step, survivors, duration, killed, left }) => {
    same<typeof stopped, boolean>(true)
    same<typeof step, 'none' | 'stdin' | StopSignalName | 'SIGKILL'>(true)
    same<typeof killed, number>(true)
    same<typeof left, number>(true)
    same<typeof survivors, number[]>(true)
    console.log(processId.length, duration + 1)
  })
  .on('metrics', event => {
    const figures = event.get('server')
    same<typeof figures, (ProcessManager.TreeMetrics & { pid: number }) | undefined>(true)
  })
  .on('metrics', ({ time, processes: all }) => {
    same<typeof time, number>(true)
    for (const [processId, { pid, cpu, own, threads }] of Object.entries(all)) {
      same<typeof processId, string>(true)
      console.log(pid + cpu + own.memory + threads)
    }
  })
  .on('queued', ({ processId, position, restarts }) => { console.log(processId.length, position + restarts) })
  .on('limit', ({ limit, value, seen, action }) => {
    same<typeof seen, number | null>(true)
    same<typeof action, 'refuse' | 'restart' | 'stop' | 'event' | 'end' | 'give-up'>(true)
    console.log(limit.length, value + 1)
  })

// Either of two events, and events that are not the manager's own.
manager.on(Math.random() < 0.5 ? 'stdout' : 'stderr', ({ data }) => data)
manager.on('newListener', (name: string) => name).on('mine', () => {}).on(Symbol('mine'), () => {})

/* ---- disposal ---- */

export async function disposed (): Promise<void> {
  await using scoped = new ProcessManager()
  scoped.spawnProcess({ command: 'true' })
}

export class Host extends ProcessManager {
  start (): string {
    return this.spawnProcess({ command: 'true' })
  }
}

export function telemetry (): void {
  const observation: Observation = observe(manager, { meter: api.getMeter('mine'), attributes: { pool: 'a', size: 2 } })
  observation.unregister()
  using scoped = observe(manager)
  console.log(scoped)
}

export async function metrics (): Promise<void> {
  const more = await manager.getProcessMetrics(id, { pss: true })
  if (more) {
    same<typeof more.pss, number | null>(true)
    console.log(more.cpu + more.own.memory + more.processes + (more.openDescriptors ?? 0))
  }
  const history = manager.getMetricsHistory(id, { since: 1, window: 1000, start: 0 })
  if (history) {
    same<typeof history.cpu, Range | null>(true)
    const sample: HistorySample | undefined = history.samples[0]
    console.log(history.memory?.mean, history.count, sample?.span)
  }
  const summary = manager.getMetricsHistory(id, { samples: false })
  same<typeof summary, HistorySummary | undefined>(true)
  const text: string = await manager.metricsText()
  console.log(text, ProcessManager.metricsContentType.length)
  const ofAny: typeof more = await new ProcessMetrics().getProcessMetrics(1)
  console.log(ofAny?.peakMemory)
  const found = await new ProcessMetrics().getMetrics(1)
  same<typeof found, { cpu: number, memory: number }>(true)
}

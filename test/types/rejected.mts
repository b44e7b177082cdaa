// What the compiler must refuse: each line below a comment is an error.

import ProcessManager from 'mcp-process-manager'
import { observe } from 'mcp-process-manager/opentelemetry'
import ProcessMetrics from 'mcp-process-manager/process-metrics'

const manager = new ProcessManager()

// @ts-expect-error a class needs new
ProcessManager()
// @ts-expect-error there is no such option
export const misspelled = new ProcessManager({ maxProcess: 1 })
// @ts-expect-error a number is wanted
export const text = new ProcessManager({ maxProcesses: '100' })
// @ts-expect-error these exist for a single process only
export const misplaced = new ProcessManager({ command: 'node' })
// @ts-expect-error only 'pipe' and 'ignore'
export const inherited = new ProcessManager({ stdin: 'inherit' })

// @ts-expect-error no such way to hold a tree
export const held = new ProcessManager({ containment: 'cgroup' })
// @ts-expect-error an object of the signal and who gets it
export const interrupted = new ProcessManager({ stopSignal: 'SIGINT' })
// @ts-expect-error a signal that is no stop
export const woken = new ProcessManager({ stopSignal: { signal: 'SIGCONT' } })
// @ts-expect-error the whole tree, or the command
export const grouped = new ProcessManager({ stopSignal: { to: 'group' } })

// @ts-expect-error no such thing to do
export const killed = new ProcessManager({ limits: { memory: 2 ** 30, memoryAction: 'kill' } })

// @ts-expect-error a config is wanted
manager.spawnProcess()
// @ts-expect-error a command is required
manager.spawnProcess({ args: ['x'] })
// @ts-expect-error one string is no list of arguments
manager.spawnProcess({ command: 'node', args: '-v' })
// @ts-expect-error arguments are strings
manager.spawnProcess({ command: 'node', args: [1] })
// @ts-expect-error values of variables are strings
manager.spawnProcess({ command: 'node', env: { PORT: 80 } })
// @ts-expect-error it is called workingDir
manager.spawnProcess({ command: 'node', cwd: '/' })
// @ts-expect-error an option of the manager only
manager.spawnProcess({ command: 'node', maxProcesses: 1 })
// @ts-expect-error an id is a string
manager.spawnProcess({ command: 'node', id: 7 })
// @ts-expect-error no encoding of output
manager.spawnProcess({ command: 'node', encoding: 'hex' })

// @ts-expect-error no such way to take stdout
manager.spawnProcess({ command: 'node', messages: true })
// @ts-expect-error bytes are a number
manager.spawnProcess({ command: 'node', maxMessageBytes: '1 MiB' })
// @ts-expect-error true or false
manager.spawnProcess({ command: 'node', logMessages: 'strays' })
// @ts-expect-error a log file has a path
manager.spawnProcess({ command: 'node', logFile: { maxBytes: 4096 } })
// @ts-expect-error it is called maxFiles
manager.spawnProcess({ command: 'node', logFile: { path: 'log', files: 3 } })
// @ts-expect-error a file is one process's own
export const logged = new ProcessManager({ logFile: 'all.log' })
// @ts-expect-error the same, as an object
export const loggedTo = new ProcessManager({ logFile: { path: 'all.log' } })

// @ts-expect-error an id is wanted
void manager.stopProcess()
// @ts-expect-error a number of milliseconds
void manager.stopProcess('a', '5s')
// @ts-expect-error a signal is wanted
manager.signalProcess('a')
// @ts-expect-error no signal is called like this
manager.signalProcess('a', 'TERM')
// @ts-expect-error an object with tree
manager.signalProcess('a', 'SIGTERM', true)
// @ts-expect-error true or false
manager.signalProcess('a', 'SIGTERM', { tree: 'yes' })
// @ts-expect-error a promise is no boolean
export const stopped: boolean = manager.stopProcess('a')
// @ts-expect-error a number of lines
manager.getProcessLogs('a', 'all')
// @ts-expect-error no other stream
manager.getProcessLogs('a', { stream: 'stdin' })
// @ts-expect-error a number
manager.getProcessLogs('a', { since: '3' })
// @ts-expect-error a text
manager.getProcessLogs('a', { search: /x/ })
// @ts-expect-error records are not apart by stream
manager.getProcessLogs('a', { lines: 3 }).stdout
// @ts-expect-error nothing to abort
manager.getProcessLogs('a', { signal: AbortSignal.abort() })
// @ts-expect-error an object of options
manager.followLogs('a', 10)
// @ts-expect-error a signal that aborts
manager.followLogs('a', { signal: 'SIGTERM' })
// @ts-expect-error it is asynchronous
for (const record of manager.followLogs('a')) console.log(record)
// @ts-expect-error a message is wanted
manager.sendMessage('a')
// @ts-expect-error stdout is the only one
manager.pauseOutput('a', 'stderr')
// @ts-expect-error an unknown id has none
manager.getProcessStatus('a').output.stdout
// @ts-expect-error stderr cannot be paused
export const paused = manager.getProcessStatus('a').output?.stderr.paused
// @ts-expect-error text or bytes
manager.writeStdin('a', { json: true })
// @ts-expect-error nothing else than what a status can be
export const crashed: boolean = manager.getProcessStatus('a').status === 'crashed'

// @ts-expect-error the payload of stdout has no line
manager.on('stdout', ({ line }) => line)
// @ts-expect-error the payload of message has no data
manager.on('message', ({ data }) => data)
// @ts-expect-error a payload, not its parts
manager.on('exit', (processId: string, code: number) => code)
// @ts-expect-error a code may be null
manager.on('exit', ({ code }) => code + 1)
// @ts-expect-error nobody may know
manager.on('exit', ({ resourceUsage }) => resourceUsage.maxRSS)
// @ts-expect-error no other step
manager.on('stop', ({ step }) => step === 'SIGSTOP')
// @ts-expect-error all processes are in it
manager.on('metrics', ({ cpu }) => cpu)
// @ts-expect-error it may not have run
manager.on('metrics', event => event.get('server').cpu)
// @ts-expect-error no other stream
manager.on('line', ({ stream }) => stream === 'stdin')

// @ts-expect-error true or false
void manager.getProcessMetrics('a', { pss: 1 })
// @ts-expect-error it may not be known
export const pss: Promise<number | undefined> = manager.getProcessMetrics('a').then(found => found?.pss)
// @ts-expect-error there may be none
export const peak: number | undefined = manager.getMetricsHistory('a')?.memory.max
// @ts-expect-error it has not been asked for
export const samples: unknown = manager.getMetricsHistory('a', { samples: false })?.samples
// @ts-expect-error ms
manager.getMetricsHistory('a', { window: '1m' })
// @ts-expect-error a pid is a number
void new ProcessMetrics().getMetrics('1')

// @ts-expect-error no other meter
observe(manager, { meter: {} })
// @ts-expect-error no other manager
observe({})

/// <reference types="node" />
import { EventEmitter } from 'node:events'

/**
 * Spawns, watches, restarts and ends child processes.
 *
 * Times are in milliseconds and sizes in bytes unless a comment says otherwise.
 *
 * @example
 * const manager = new ProcessManager()
 * manager.on('stdout', ({ processId, data }) => console.log(`[${processId}]`, data))
 * const id = manager.spawnProcess({ command: 'node', args: ['server.js'], autoRestart: true })
 * await manager.stopProcess(id)
 */
declare class ProcessManager extends EventEmitter {
  /**
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`: an option of the wrong type, or none of its words
   * @throws {RangeError} `ERR_OUT_OF_RANGE`: a number out of range
   */
  constructor(options?: ProcessManager.Options)

  /** How processes are started: `'clone'` (Linux, constant time) or `'uv_spawn'` (portable). */
  readonly backend: 'clone' | 'uv_spawn'

  /**
   * Starts a process and returns its id. That the command could not be executed
   * is no exception: an `'error'` event tells it on a later turn of the loop.
   *
   * @throws {TypeError} `ERR_COMMAND_REQUIRED`, `ERR_INVALID_ID`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {RangeError} `ERR_OUT_OF_RANGE`
   * @throws {Error} `ERR_PROCESS_LIMIT`, `ERR_MEMORY_LIMIT`, `ERR_ID_IN_USE`, `ERR_COMMAND_NOT_ALLOWED`, `ERR_UNSAFE_ENV`,
   * `ERR_LOG_FILE_IN_USE`, `ERR_MANAGER_CLOSED`
   */
  spawnProcess(config: ProcessManager.ProcessConfig): string

  /**
   * Ends a process and everything that it started: the end of its stdin if
   * `eofTimeout` is set, SIGTERM (or the `stopSignal`), and SIGKILL for what is
   * left after `timeout`. A second call while one is under way joins it.
   *
   * @param timeout ms from the stop signal to SIGKILL; 0: SIGKILL at once; Infinity: never. Default: the process's
   * `stopTimeout`
   * @returns true once nothing of it is left, also when it had ended before; false for an unknown id, and when
   * something cannot be killed (the `'stop'` event lists it)
   */
  stopProcess(processId: string, timeout?: number): Promise<boolean>

  /**
   * Stops a process if it runs, then starts it with the same config under the
   * same id. A wait for an automatic restart is cut short.
   *
   * @returns whether it runs again; false for an unknown id. Rejects with `ERR_PROCESS_LIMIT` at the process limit, with
   * `ERR_MEMORY_LIMIT` while `maxTotalMemory` is reached if it does not run (one that waits for a restart goes on waiting),
   * and with `ERR_LOG_FILE_IN_USE` if another live process has been given its log file
   */
  restartProcess(processId: string): Promise<boolean>

  /**
   * Sends a signal to the command, or to everything of its tree (with
   * `containment: 'group'` of its group, with `'none'` the command all the same).
   * It may arrive a moment after the call has returned, and it is no stop: what
   * ends by it is restarted with `autoRestart`.
   *
   * @param signal its name, or its number
   * @returns whether it was handed over; false for an unknown id, and when nothing runs
   * @throws {TypeError} `ERR_UNKNOWN_SIGNAL`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EAGAIN`: too many signals are under way; `EPERM`: it runs as another user (a keeper does not tell)
   */
  signalProcess(processId: string, signal: NodeJS.Signals | number, options?: ProcessManager.SignalOptions): boolean

  /** What a process is doing. An unknown id has the status `'unknown'`, and zeros. */
  getProcessStatus(processId: string): ProcessManager.ProcessStatus | ProcessManager.UnknownStatus

  /**
   * More of what the tree of a process uses than its status tells; after its end, what all of it had used. Read by
   * another thread, some ten microseconds a process; with `pss` a millisecond and more.
   *
   * @returns undefined for an unknown id
   */
  getProcessMetrics(processId: string, options?: ProcessManager.MetricsOptions): Promise<ProcessManager.ProcessMetrics | undefined>

  /**
   * What the tree of a process used, sample by sample, if `metricsHistory` of them are kept, over all its starts and
   * after its end until it is removed.
   *
   * @returns undefined for an unknown id
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`
   * @throws {RangeError} `ERR_OUT_OF_RANGE`
   */
  getMetricsHistory(processId: string, query: ProcessManager.HistoryQuery & { samples: false }): ProcessManager.HistorySummary | undefined
  getMetricsHistory(processId: string, query?: ProcessManager.HistoryQuery): ProcessManager.MetricsHistory | undefined

  /**
   * The figures of all processes in the text format of Prometheus (0.0.4), for an answer of the content type
   * `ProcessManager.metricsContentType`. What the loop does not know is read by another thread, which also writes the
   * text. Empty after `cleanup`.
   */
  metricsText(): Promise<string>

  /** Of an HTTP answer that is `metricsText`. */
  static readonly metricsContentType: string

  /**
   * The last lines of each stream, oldest first; nothing for an unknown id.
   *
   * @param lines how many of each; Infinity: all that are kept. Default 100
   */
  getProcessLogs(processId: string, lines?: number): ProcessManager.ProcessLogs

  /**
   * Lines of both streams in the order in which they were read, with what is known of each; nothing for an unknown id.
   *
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {RangeError} `ERR_OUT_OF_RANGE`
   */
  getProcessLogs(processId: string, query: ProcessManager.LogQuery): ProcessManager.LogRecord[]

  /**
   * The last lines of a log, then each as it comes, restarts included, until the process has ended for good, is
   * removed, or `signal` aborts (the iterator throws its reason then). What the log has lost before it was asked for is
   * missing, which the numbers tell.
   *
   * @example
   * for await (const { stream, line } of manager.followLogs(id)) console.log(stream, line)
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {RangeError} `ERR_OUT_OF_RANGE`
   * @throws {Error} `ERR_UNKNOWN_PROCESS`
   */
  followLogs(processId: string, options?: ProcessManager.FollowOptions): AsyncIterableIterator<ProcessManager.LogRecord>

  /**
   * Stops reading stdout, so that a command that writes on will wait; never stderr. An end is read to its end all the
   * same, and a restart begins unpaused.
   *
   * @returns whether it is paused; false for an unknown id, and when nothing runs
   */
  pauseOutput(processId: string): boolean

  /**
   * Reads stdout again.
   *
   * @returns whether it is read; false for an unknown id, and when nothing runs
   */
  resumeOutput(processId: string): boolean

  /** All processes that are known, ended ones included, in the order of spawning. */
  listProcesses(): ProcessManager.ListedProcess[]

  /**
   * Queues data for stdin. Strings are written as UTF-8.
   *
   * @returns false: better wait for `'drain'`
   * @throws {Error} `ERR_UNKNOWN_PROCESS`; `ERR_STDIN_CLOSED`; `ERR_STDIN_FULL`: more than `maxStdinBytes` would be
   * queued, and nothing of data was taken
   */
  writeStdin(processId: string, data: string | NodeJS.ArrayBufferView): boolean

  /**
   * Sends a message to stdin, as one line: at once while each turn of the loop sends one at most, else those of a turn
   * together.
   *
   * @param message a string, a Buffer or a typed array is sent as it is, everything else as JSON
   * @returns false: better wait for `'drain'`
   * @throws {TypeError} `ERR_INVALID_MESSAGE`: there is a line end in it, or no JSON for it; `ERR_INVALID_ARG_TYPE`:
   * undefined, a function or a symbol
   * @throws {Error} as `writeStdin`
   */
  sendMessage(processId: string, message: unknown): boolean

  /**
   * Closes stdin once what is queued has been written.
   *
   * @returns whether it is closed already
   * @throws {Error} `ERR_UNKNOWN_PROCESS`
   */
  closeStdin(processId: string): boolean

  /** Forgets an ended process, its logs too. False while it lives, and for an unknown id. */
  removeProcess(processId: string): boolean

  /** Ends all processes at once, as `stopProcess` does. */
  stopAll(timeout?: number): Promise<void>

  /**
   * Ends everything and gives the manager up: `spawnProcess` throws
   * `ERR_MANAGER_CLOSED` from now on, and afterwards every id is unknown.
   */
  cleanup(): Promise<void>

  /** Is `cleanup()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>

  /** Living processes keep Node running. They do at first. */
  ref(): this

  /** Living processes do not keep Node running. They end with it all the same (but those of `containment: 'none'`). */
  unref(): this

  on<E extends keyof ProcessManager.Events>(event: E, listener: ProcessManager.Listener<E>): this
  on<N extends string | symbol>(event: ProcessManager.Other<N>, listener: (...args: any[]) => void): this
  addListener<E extends keyof ProcessManager.Events>(event: E, listener: ProcessManager.Listener<E>): this
  addListener<N extends string | symbol>(event: ProcessManager.Other<N>, listener: (...args: any[]) => void): this
  prependListener<E extends keyof ProcessManager.Events>(event: E, listener: ProcessManager.Listener<E>): this
  prependListener<N extends string | symbol>(event: ProcessManager.Other<N>, listener: (...args: any[]) => void): this
  once<E extends keyof ProcessManager.Events>(event: E, listener: ProcessManager.Listener<E>): this
  once<N extends string | symbol>(event: ProcessManager.Other<N>, listener: (...args: any[]) => void): this
  prependOnceListener<E extends keyof ProcessManager.Events>(event: E, listener: ProcessManager.Listener<E>): this
  prependOnceListener<N extends string | symbol>(event: ProcessManager.Other<N>, listener: (...args: any[]) => void): this
  off<E extends keyof ProcessManager.Events>(event: E, listener: ProcessManager.Listener<E>): this
  off<N extends string | symbol>(event: ProcessManager.Other<N>, listener: (...args: any[]) => void): this
  removeListener<E extends keyof ProcessManager.Events>(event: E, listener: ProcessManager.Listener<E>): this
  removeListener<N extends string | symbol>(event: ProcessManager.Other<N>, listener: (...args: any[]) => void): this
  emit<E extends keyof ProcessManager.Events>(event: E, payload: ProcessManager.Events[E]): boolean
  emit(event: string | symbol, ...args: any[]): boolean
}

import Self = ProcessManager

declare namespace ProcessManager {
  export { Self as ProcessManager, Self as default }

  /** What may be given for all processes of a manager, and for each of them. */
  export interface ProcessOptions {
    /** Samples of CPU and memory kept of each process, at 48 bytes; 0: none. Default 0. */
    metricsHistory?: number
    /** Lines kept of each stream. Default 1000. */
    maxLogLines?: number
    /** Bytes kept of each stream. Default 4 MiB. */
    maxLogBytes?: number
    /**
     * What holds together what a command starts. Default 'tree'.
     *
     * - 'tree': a keeper process of its own, over everything that it starts, however that was detached; the keeper ends
     *   all of it when the host has gone, in whatever way
     * - 'nested': two keepers, one inside the other, so that a tree outlives neither of them
     * - 'group': no keeper but the process group, which a descendant can leave; when the host has gone, the kernel ends
     *   the command alone
     * - 'none': the command alone, and nothing happens to it when the host has gone
     *
     * Where no keeper can run, 'tree' and 'nested' become 'group', with a process warning
     * (`ERR_KEEPER_UNAVAILABLE`). The status says what is in effect.
     */
    containment?: Containment
    /**
     * Whether what a command leaves behind when it ends by itself is ended too. With false it is left alone, its
     * output is not read any more, and a stop of the ended process does not reach it. Default true.
     */
    killTree?: boolean
    /** ms from the stop signal to SIGKILL where `stopProcess` is given no timeout; Infinity: never. Default 5000. */
    stopTimeout?: number
    /** ms from the end of stdin to the stop signal in a stop; 0: stdin is not ended first. Default 0. */
    eofTimeout?: number
    /** ms that a keeper gives its tree to end by itself when the host has gone, before SIGKILL. Default 2000. */
    hostExitTimeout?: number
    /** The signal of a stop, and who gets it. What is not given in it is the default's. */
    stopSignal?: StopSignal
    /** Start again after a failure: an end that was not asked for and not exit code 0. Default false. */
    autoRestart?: boolean
    /** Restarts in a row before a process is given up. Default 5. */
    maxRestarts?: number
    /** ms before the first restart. Default 1000. */
    restartDelay?: number
    /** Each further restart waits so many times as long. Default 2. */
    restartFactor?: number
    /** ms that a restart waits at most. Default 30000. */
    maxRestartDelay?: number
    /** Part of the delay, 0 to 1, by which it varies at random. Default 0.1. */
    restartJitter?: number
    /** ms alive after which the count of restarts in a row begins anew. Default 60000. */
    stableAfter?: number
    /** A pipe for `writeStdin`, or /dev/null. Default 'pipe'. */
    stdin?: 'pipe' | 'ignore'
    /** Bytes queued for stdin from which `writeStdin` and `sendMessage` answer false. Default 65536. */
    stdinHighWaterMark?: number
    /** Bytes queued for stdin beyond which `writeStdin` and `sendMessage` throw. Default 64 MiB. */
    maxStdinBytes?: number
    /** Of the output events: text, or 'buffer' for Buffers. Logs are always read as UTF-8. Default 'utf8'. */
    encoding?: 'utf8' | 'latin1' | 'buffer'
    /** Bytes that a pipe may hold once it is busy, as far as the system allows. Default 1 MiB. */
    pipeSize?: number
    /**
     * What stdout is taken for. Default 'none'.
     *
     * - 'none': text
     * - 'raw': JSON, one object or array a line, each handed out by a `'message'` event as it is
     * - 'json': the same, parsed
     *
     * A line that is none comes by a `'stray'` event.
     */
    messages?: 'none' | 'raw' | 'json'
    /** Bytes of the longest message; one that is longer is left out, with an `'error'` event. Default 10 MiB. */
    maxMessageBytes?: number
    /** Whether messages are kept in the log, not only what is none. Default true. */
    logMessages?: boolean
    /** What a command is held to from its first instruction on. Default none. */
    limits?: Limits
    /** A fresh working directory of its own, removed when the process has ended. Default false. */
    privateWorkingDir?: boolean
    /**
     * What is inherited of process.env: all, nothing, what the MCP SDKs inherit
     * (HOME LOGNAME PATH SHELL TERM USER), or the named variables. Default true.
     */
    inheritEnv?: boolean | 'safe' | readonly string[]
    /** Variables that `env` may set although they make programs run code (LD_PRELOAD, NODE_OPTIONS, …). Default none. */
    allowUnsafeEnv?: readonly string[]
  }

  /** Options of the constructor: the defaults of each process, and what concerns the manager. */
  export interface Options extends ProcessOptions {
    /** Processes that run, stop or wait for a restart at the same time. Default 100. */
    maxProcesses?: number
    /** Records of ended processes kept for status and logs; the oldest goes first. Default 100. */
    maxEnded?: number
    /**
     * Bytes that all trees together may use, each page counted once. When that is reached `limits.memoryAction` of the
     * one that uses most is taken, and nothing is started until it is over. Default Infinity.
     */
    maxTotalMemory?: number
    /**
     * Commands started a second. Automatic restarts that come sooner wait in a queue; what is asked for does not, but
     * counts. As many as are due in a quarter of a second may be started at once. Infinity: no queue. Default 20.
     */
    maxSpawnsPerSecond?: number
    /** ms between samples of CPU and memory; 0: only when asked. Default 5000. */
    monitorInterval?: number
    /** The only values that `command` may have, to the letter. Default: any. */
    allowedCommands?: readonly string[]
    /** Bounds of the log files of processes that have one. */
    logFile?: LogFileBounds
  }

  export interface ProcessConfig extends ProcessOptions {
    /** 1 to 256 bytes without control characters. Default: `proc_1000`, `proc_1001`, … */
    id?: string
    /** A path if it has a '/', else looked up in the PATH that the process gets. Never run by a shell. */
    command: string
    /** Default none. */
    args?: readonly string[]
    /** Merged over what is inherited; undefined takes a variable away. */
    env?: Readonly<Record<string, string | undefined>>
    /** Default: the host's. */
    workingDir?: string
    /** A file, or its path alone, that the lines of both streams are appended to. Default: none. */
    logFile?: string | LogFile
  }

  export interface LogFileBounds {
    /** Bytes of a file; then it becomes PATH.1, that one PATH.2, and so on. Default 10 MiB. */
    maxBytes?: number
    /** Files that are kept, PATH itself among them. Default 5. */
    maxFiles?: number
  }

  export interface LogFile extends LogFileBounds {
    path: string
  }

  /** `stopped`: ended for whatever reason, or told to stop. `error`: could not be started, or given up. */
  export type Status = 'running' | 'stopped' | 'error'

  /** How what a command starts is held together. */
  export type Containment = 'tree' | 'nested' | 'group' | 'none'

  export type StopSignalName = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGQUIT' | 'SIGUSR1' | 'SIGUSR2'

  export interface StopSignal {
    /** Default 'SIGTERM'. */
    signal?: StopSignalName
    /** To everything that the command started, or to the command alone; SIGKILL goes to all. Default 'tree'. */
    to?: 'tree' | 'command'
  }

  /** Infinity: as the host has it. Sizes in bytes. */
  export interface Limits {
    /** Seconds of CPU of one process: SIGXCPU, five seconds later SIGKILL. */
    cpuSeconds?: number
    /** Of a file that it writes: SIGXFSZ. */
    fileSize?: number
    /** Descriptors. */
    openFiles?: number
    /** Processes and threads of its user. */
    processes?: number
    /** Virtual memory. */
    addressSpace?: number
    /** Heap and private mappings. */
    dataSize?: number
    /** Of the main thread. */
    stackSize?: number
    lockedMemory?: number
    /** Of a core dump; 0: none. */
    coreSize?: number
    /** Added to the host's niceness, -40 to 39. */
    nice?: number
    /**
     * Memory of everything that the command started, each page counted once. Watched, more closely the nearer it is:
     * no hard bound.
     */
    memory?: number
    /**
     * What is done when `memory` is reached, or `maxTotalMemory` and this one uses most. Default 'restart'.
     *
     * - 'restart': all of it is ended as by a stop, and started again as after a failure, with or without `autoRestart`
     * - 'stop': it is ended
     * - 'event': that is told by a `'limit'` event
     */
    memoryAction?: MemoryAction
  }

  export type MemoryAction = 'restart' | 'stop' | 'event'

  export interface SignalOptions {
    /** To everything that the command started, not to the command alone. Default false. */
    tree?: boolean
  }

  export type State = 'starting' | 'running' | 'stopping' | 'backoff' | 'queued' | 'exited' | 'failed'

  interface Figures {
    /** Of the command itself; 0 when none. */
    pid: number
    /** Seconds since the present start; 0 when not running. */
    uptime: number
    /** Percent of one core, of the whole tree that the command started, between the last two samples; may exceed 100. */
    cpu: number
    /** Resident MB (2^20 bytes) of the whole tree. */
    memory: number
    /** How often it was restarted. Never goes down. */
    restarts: number
  }

  /** The command's own share of what its tree uses. */
  export interface OwnFigures {
    cpu: number
    memory: number
  }

  export interface ProcessStatus extends Figures {
    status: Status
    state: State
    own: OwnFigures
    /** How many live in the tree, the command included. */
    processes: number
    /** What is in effect, which is 'group' where no keeper can run. */
    containment: Containment
    /** In the state 'queued': 1 is the next to be started; else null. */
    queuePosition: number | null
    /** Of the last end; null before it, and when a signal ended it. */
    exitCode: number | null
    /** Of the last end, as 'SIGKILL'. */
    exitSignal: NodeJS.Signals | null
    /** Why it could not be started or was given up. */
    error: ProcessError | null
    /** What came of it, over all its starts. */
    output: { stdout: StdoutStatus; stderr: StreamStatus }
  }

  export interface StreamStatus {
    /** Lines that ended. */
    lines: number
    /** Bytes of lines, without their ends. */
    bytes: number
    /** Lines that the log does not hold any more. */
    droppedLines: number
    /** Bytes of lines that were too long for the log. */
    cutBytes: number
  }

  export interface StdoutStatus extends StreamStatus {
    /** By `pauseOutput`. */
    paused: boolean
  }

  /** Of an id that the manager does not know. */
  export interface UnknownStatus extends Figures {
    status: 'unknown'
    state?: undefined
    own?: undefined
    processes?: undefined
    containment?: undefined
    exitCode?: undefined
    exitSignal?: undefined
    error?: undefined
    output?: undefined
  }

  export interface ListedProcess extends Figures {
    id: string
    command: string
    status: Status
    state: State
    /** What is in effect, which is 'group' where no keeper can run. */
    containment: Containment
    /** Of the last end; null before it, and when a signal ended it. */
    exitCode: number | null
    /** Of the last end, as 'SIGKILL'. */
    exitSignal: NodeJS.Signals | null
  }

  export interface ProcessLogs {
    stdout: string[]
    stderr: string[]
  }

  /** Which lines of a log. */
  export interface LogQuery {
    /**
     * At most so many: the last of them, or behind `since` the first. Default 100 (10 where a log is followed), all
     * behind `since`.
     */
    lines?: number
    /** Only those behind the line of this number. */
    since?: number
    /** Only those of this stream. */
    stream?: 'stdout' | 'stderr'
    /** Only those of this start, 0 the first. */
    start?: number
    /** Only those with this text in them. */
    search?: string
  }

  export interface FollowOptions extends LogQuery {
    /** Ends it. */
    signal?: AbortSignal
  }

  export interface LogRecord {
    /** Counts the lines of both streams of a process, from 1. A gap tells of lines that are lost or were not asked for. */
    seq: number
    /** When its end was read, in ms since the epoch, with fractions. */
    time: number
    stream: 'stdout' | 'stderr'
    /** Which start of the command wrote it, 0 the first. */
    start: number
    /** Without its line end. */
    line: string
  }

  /** What this module throws and reports. */
  export interface ProcessError extends Error {
    /** A stable name: that of an errno, as 'ENOENT', or one of ours, as 'ERR_PROCESS_LIMIT'. */
    code: string
    /** Negative; only of errors of the system. */
    errno?: number
    /** The step that failed, as 'execve'. */
    syscall?: string
    /** The file it was about. */
    path?: string
  }

  export interface OutputEvent {
    processId: string
    /** Text, or with `encoding: 'buffer'` a Buffer. */
    data: any
  }

  export interface LineEvent {
    processId: string
    stream: 'stdout' | 'stderr'
    /** Without its line end. Text, or with `encoding: 'buffer'` a Buffer. */
    line: any
  }

  export interface MessageEvent {
    processId: string
    /** With `messages: 'json'` what it means; else text, or with `encoding: 'buffer'` a Buffer. */
    message: any
  }

  export interface StrayEvent {
    processId: string
    /** Without its line end. Text, or with `encoding: 'buffer'` a Buffer. */
    line: any
  }

  export interface SpawnEvent {
    processId: string
    pid: number
    restarts: number
  }

  export interface ExitEvent {
    processId: string
    /** Null when a signal ended it, or nobody knows. */
    code: number | null
    signal: NodeJS.Signals | null
    pid: number
    /** Seconds that it ran. */
    uptime: number
    restarts: number
    /** Bytes written to stdin that it never got. */
    unsent: number
    /** Whether a stop or a restart had been asked for. */
    requested: boolean
    /** The limit that ended it, as 'limits.cpuSeconds' or 'limits.memory'; null if none did, as far as its end tells. */
    limit: string | null
    /** What it used; null when nobody knows. */
    resourceUsage: ResourceUsage | null
  }

  /**
   * Of the command and those of its descendants that it waited for. Names and
   * units are those of Node's `process.resourceUsage()`.
   */
  export interface ResourceUsage {
    /** Microseconds of CPU in its own code. */
    userCPUTime: number
    /** Microseconds of CPU in the kernel. */
    systemCPUTime: number
    /** Most resident memory of one of them, in KiB; on Linux never less than the host had when starting it. */
    maxRSS: number
  }

  export interface ErrorEvent {
    processId: string
    error: ProcessError
  }

  export interface RestartEvent {
    processId: string
    restarts: number
    pid: number
  }

  export interface BackoffEvent {
    processId: string
    /** ms until the restart. */
    delay: number
    restarts: number
  }

  export interface QueuedEvent {
    processId: string
    /** 1: the next to be started. */
    position: number
    restarts: number
  }

  export interface StopEvent {
    processId: string
    /** Nothing of what it started is left. */
    stopped: boolean
    /** What ended it: the end of its stdin, the stop signal or SIGKILL; 'none' if nothing ran. */
    step: 'none' | 'stdin' | StopSignalName | 'SIGKILL'
    code: number | null
    signal: NodeJS.Signals | null
    /** ms since the stop began. */
    duration: number
    /** How many were alive when SIGKILL came, at most 256, a group counted as 1; 0 if it did not. */
    killed: number
    /** How many cannot be killed. */
    left: number
    /** The pids of those, at most 16. */
    survivors: number[]
  }

  /** What a tree of processes uses. */
  export interface TreeMetrics {
    /** Percent of one core, over the last window; may exceed 100. */
    cpu: number
    /** Resident MB (2^20 bytes). */
    memory: number
    /** The share of the command, or of the process that was asked for, itself. */
    own: OwnFigures
    /** How many live. */
    processes: number
    threads: number
    /** The most MB that `memory` was at a sample. */
    peakMemory: number
    /** Microseconds of CPU since it began, those of ended processes included as far as somebody waited for them. */
    userCPUTime: number
    systemCPUTime: number
  }

  export interface MetricsOptions {
    /** Find out `pss`, for which the kernel looks at each page. Default false. */
    pss?: boolean
  }

  /** Null is what may not be read of one of the processes. Names are those of Node's `process.resourceUsage()` where it has them. */
  export interface ProcessMetrics extends TreeMetrics {
    openDescriptors: number | null
    /** Of the threads that live. */
    voluntaryContextSwitches: number | null
    involuntaryContextSwitches: number | null
    /** From and to storage, by the processes that live and those that they have waited for; what the page cache had is not in it. */
    bytesRead: number | null
    bytesWritten: number | null
    /** MB of memory, with what is shared divided by those who share it; null if it was not asked for. */
    pss: number | null
  }

  /** Which samples of a history; all if nothing is given. */
  export interface HistoryQuery {
    /** Only those of a later time: ms since the epoch. */
    since?: number
    /** Only those of so many ms up to now. */
    window?: number
    /** Only those of this start, 0 the first. */
    start?: number
    /** With false, the summary alone. Default true. */
    samples?: boolean
  }

  export interface HistorySample {
    /** When it was taken: ms since the epoch, with a fraction. */
    time: number
    /** ms since the sample before, or the start: what `cpu` covers. */
    span: number
    /** Which start of the command, 0 the first. */
    start: number
    /** Of the whole tree: percent of one core. */
    cpu: number
    /** Of the whole tree: resident MB of 2^20 bytes. */
    memory: number
    /** How many live in the tree. */
    processes: number
    threads: number
  }

  export interface Range {
    min: number
    mean: number
    max: number
  }

  /** Of the samples that match; null without any. */
  export interface HistorySummary {
    /** How many there are. */
    count: number
    /** The mean is that of the time that the samples cover. */
    cpu: Range | null
    memory: Range | null
    processes: Range | null
    threads: Range | null
  }

  export interface MetricsHistory extends HistorySummary {
    /** Oldest first. */
    samples: HistorySample[]
  }

  export interface MetricsEvent {
    /** ms since the epoch. */
    time: number
    /**
     * By id, of each that runs. Has no prototype, since an id may be any string. Made when it is first looked at, of
     * what was seen then.
     */
    processes: Record<string, TreeMetrics & { pid: number }>
    /** One entry of it, without making the others; undefined for one that did not run. */
    get(processId: string): (TreeMetrics & { pid: number }) | undefined
  }

  export interface DrainEvent {
    processId: string
  }

  export interface LimitEvent {
    /** Not there for a limit of the manager. */
    processId?: string
    /** The option's name, as 'maxRestarts'. */
    limit: string
    value: number
    /** What there was of it, in the same unit; null when nobody knows. */
    seen: number | null
    /**
     * What was done: a start was refused, the tree is ended and started again, or ended; nothing but this event; the
     * kernel has ended it; it was given up.
     */
    action: 'refuse' | MemoryAction | 'end' | 'give-up'
  }

  export interface Events {
    /** Each chunk as it was written; UTF-8 is never cut inside a character. */
    stdout: OutputEvent
    stderr: OutputEvent
    /** Each finished line. */
    line: LineEvent
    /** Each message on stdout; only with `messages`. */
    message: MessageEvent
    /** A line where a message was expected that is none. */
    stray: StrayEvent
    /** It has been started, for the first time or again. */
    spawn: SpawnEvent
    /** Once per start, after its last output. */
    exit: ExitEvent
    /**
     * It could not be started, was given up, lost its stdin or its keeper, wrote a message that is too long
     * (`ERR_MESSAGE_TOO_LONG`), or its log file cannot be written. Without a listener it is a process warning.
     */
    error: ErrorEvent
    /** It runs again. */
    restart: RestartEvent
    /** It will be started again after a delay. */
    backoff: BackoffEvent
    /** A restart that is due waits for its turn. */
    queued: QueuedEvent
    /** What was asked to stop has stopped, or cannot be stopped. */
    stop: StopEvent
    /** All processes have been sampled: every `monitorInterval` ms, while something runs and somebody listens. */
    metrics: MetricsEvent
    /** Stdin takes more. */
    drain: DrainEvent
    /** A limit was reached. */
    limit: LimitEvent
  }

  /** The name of an event that is not one of ours, whose listeners are not checked. */
  export type Other<N extends string | symbol> = N extends keyof Events ? never : N

  export type Listener<E extends keyof Events> = (payload: Events[E]) => void
}

export = ProcessManager

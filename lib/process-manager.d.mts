import ProcessManager from './process-manager.js'

export { ProcessManager, ProcessManager as default }

export type Options = ProcessManager.Options
export type ProcessOptions = ProcessManager.ProcessOptions
export type ProcessConfig = ProcessManager.ProcessConfig
export type Containment = ProcessManager.Containment
export type StopSignal = ProcessManager.StopSignal
export type StopSignalName = ProcessManager.StopSignalName
export type SignalOptions = ProcessManager.SignalOptions
export type ProcessStatus = ProcessManager.ProcessStatus
export type UnknownStatus = ProcessManager.UnknownStatus
export type ListedProcess = ProcessManager.ListedProcess
export type ProcessLogs = ProcessManager.ProcessLogs
export type LogFile = ProcessManager.LogFile
export type LogFileBounds = ProcessManager.LogFileBounds
export type LogQuery = ProcessManager.LogQuery
export type LogRecord = ProcessManager.LogRecord
export type FollowOptions = ProcessManager.FollowOptions
export type StreamStatus = ProcessManager.StreamStatus
export type StdoutStatus = ProcessManager.StdoutStatus
export type ProcessError = ProcessManager.ProcessError
export type Status = ProcessManager.Status
export type State = ProcessManager.State
export type HistoryQuery = ProcessManager.HistoryQuery
export type HistorySample = ProcessManager.HistorySample
export type HistorySummary = ProcessManager.HistorySummary
export type MetricsHistory = ProcessManager.MetricsHistory
export type Range = ProcessManager.Range
export type Events = ProcessManager.Events
export type OutputEvent = ProcessManager.OutputEvent
export type LineEvent = ProcessManager.LineEvent
export type MessageEvent = ProcessManager.MessageEvent
export type StrayEvent = ProcessManager.StrayEvent
export type SpawnEvent = ProcessManager.SpawnEvent
export type ExitEvent = ProcessManager.ExitEvent
export type ResourceUsage = ProcessManager.ResourceUsage
export type ErrorEvent = ProcessManager.ErrorEvent
export type RestartEvent = ProcessManager.RestartEvent
export type BackoffEvent = ProcessManager.BackoffEvent
export type StopEvent = ProcessManager.StopEvent
export type DrainEvent = ProcessManager.DrainEvent
export type LimitEvent = ProcessManager.LimitEvent

// Import syntax in a module that is compiled to CommonJS.

import ProcessManager, { ProcessManager as Named } from 'mcp-process-manager'
import ProcessMetrics, { ProcessMetrics as NamedMetrics } from 'mcp-process-manager/process-metrics'

export const manager: Named = new ProcessManager({ maxProcesses: 10 })
export const other: ProcessManager = new Named()
export const sampler: NamedMetrics = new ProcessMetrics()

// What a CommonJS module may write, as in the README.

import ProcessManager = require('mcp-process-manager')
import ProcessMetrics = require('mcp-process-manager/process-metrics')
import opentelemetry = require('mcp-process-manager/opentelemetry')

export async function main (): Promise<void> {
  const manager: ProcessManager = new ProcessManager()
  manager.on('stdout', ({ processId, data }) => { console.log(`[${processId}]`, data) })

  const processId: string = manager.spawnProcess({ command: 'npm', args: ['run', 'build'], autoRestart: true })
  const { pid, status, uptime, cpu, memory, restarts } = manager.getProcessStatus(processId)
  const figures: number[] = [pid, uptime, cpu, memory, restarts]
  console.log(`CPU: ${cpu}%, Memory: ${memory}MB, ${status}, ${figures.length}`)

  const stopped: boolean = await manager.stopProcess(processId)
  const again: boolean = await manager.restartProcess(processId)
  await manager.stopAll(1000)
  await manager.cleanup()
  console.log(stopped, again)
}

// The class is its own named and default export.
export const named: typeof ProcessManager = ProcessManager.ProcessManager
export const byDefault: typeof ProcessManager = ProcessManager.default

export const observation: opentelemetry.Observation = opentelemetry.observe(new ProcessManager(), {})

export async function metrics (): Promise<number> {
  const sampler = new ProcessMetrics()
  const { cpu, memory } = await sampler.getMetrics(process.pid)
  return cpu + memory
}

'use strict'

// What the demo prints.

const Table = require('cli-table3')

/** How one cell of the table is made from a row. */
const columns = {
  id: row => row.id,
  pid: row => row.pid,
  status: row => row.status,
  uptime: row => `${row.uptime.toFixed(1)} s`,
  cpu: row => `${row.cpu.toFixed(1)} %`,
  memory: row => `${row.memory.toFixed(1)} MB`,
  restarts: row => row.restarts,
  tools: row => row.tools ?? '-'
}

const rightAligned = new Set(['pid', 'uptime', 'cpu', 'memory', 'restarts', 'tools'])

/**
 * @param {object[]} processes what listProcesses gives
 * @param {Map<string, number>} toolCounts by the id of the process
 */
function statusTable (processes, toolCounts) {
  const names = Object.keys(columns)
  const table = new Table({
    head: names,
    colAligns: names.map(name => rightAligned.has(name) ? 'right' : 'left'),
    style: { head: [], border: [], compact: true }
  })
  for (const process of processes) {
    const row = { ...process, tools: toolCounts.get(process.id) }
    table.push(names.map(name => columns[name](row)))
  }
  return table.toString()
}

/** The last lines that each process wrote to stderr, which is where MCP servers log. */
function logTail (manager, lines) {
  return manager.listProcesses().flatMap(({ id }) =>
    manager.getProcessLogs(id, lines).stderr.map(line => `  ${id} | ${line}`)
  ).join('\n')
}

module.exports = { statusTable, logTail }

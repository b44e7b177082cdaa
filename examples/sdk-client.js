'use strict'

// An MCP client of the official SDK that talks to a server which the process
// manager runs: start, connect, call a tool, leave.

const ProcessManager = require('mcp-process-manager')
const { Client } = require('@modelcontextprotocol/sdk/client/index.js')
const { ManagedTransport } = require('./support/managed-transport')
const { everything } = require('./support/servers')

async function main () {
  const manager = new ProcessManager()
  try {
    const id = manager.spawnProcess(everything())
    console.log(`Started ${id} with pid ${manager.getProcessStatus(id).pid}`)

    const client = new Client({ name: 'sdk-client-example', version: '1.0.0' })
    await client.connect(new ManagedTransport(manager, id))
    console.log(`Connected to ${client.getServerVersion().name}`)

    const { tools } = await client.listTools()
    console.log(`It has ${tools.length} tools: ${tools.map(tool => tool.name).join(', ')}`)

    const answer = await client.callTool({ name: 'echo', arguments: { message: 'hello' } })
    console.log(`echo says: ${answer.content[0].text}`)

    await client.close()
    const { status, exitCode } = manager.getProcessStatus(id)
    console.log(`After close() it is ${status}, exit code ${exitCode}`)
  } finally {
    await manager.cleanup()
  }
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})

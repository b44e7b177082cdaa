'use strict'

// Lets a monitoring system such as Prometheus watch the processes: an HTTP server
// that answers /metrics. This example asks itself once, prints a part of the answer,
// and ends.

const ProcessManager = require('mcp-process-manager')
const { once } = require('node:events')
const http = require('node:http')
const path = require('node:path')
const { nextEvent } = require('./support/next-event')

/** A server on this machine's own address; what it answers has commands and ids in it, which are not everybody's business. */
async function serveMetrics (manager, port) {
  const server = http.createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    try {
      const text = await manager.metricsText()
      response.writeHead(200, { 'content-type': ProcessManager.metricsContentType }).end(text)
    } catch (error) {
      console.error(error)
      response.writeHead(500).end()
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function main () {
  const manager = new ProcessManager()
  const limit = AbortSignal.timeout(15_000)
  // 0: any port that is free. A real one would be told to Prometheus in its configuration.
  const server = await serveMetrics(manager, 0)
  try {
    const ready = nextEvent(manager, 'stderr', ({ data }) => data.includes('ready'), limit)
    manager.spawnProcess({ id: 'worker', command: process.execPath, args: [path.join(__dirname, 'support', 'worker.js')] })
    await ready

    const response = await fetch(`http://127.0.0.1:${server.address().port}/metrics`, { signal: limit })
    console.log(`${response.status} ${response.headers.get('content-type')}`)
    const text = await response.text()
    for (const line of text.split('\n').filter(line => /^mcp_process_(info|processes|output_lines_total)/.test(line))) console.log(line)
  } finally {
    server.closeAllConnections()
    server.close()
    await manager.cleanup()
  }
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})

'use strict'

const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js')

/* Nobody awaits what a send answers; that it fails must be seen all the same. */
function rethrow(error) {
  throw error
}

module.exports = async () => ({
  start(command, args, onExit) {
    const transport = new StdioClientTransport({ command, args, stderr: 'pipe' })
    transport.onclose = onExit
    transport.start()
    return transport
  },
  pids: (tokens) => tokens.map(({ pid }) => pid),
  async connect(command, args, onMessage) {
    const transport = new StdioClientTransport({ command, args, stderr: 'pipe' })
    transport.onmessage = onMessage
    transport.onerror = rethrow
    await transport.start()
    return {
      send: (message) => transport.send(message).catch(rethrow),
      close: () => transport.close()
    }
  }
})

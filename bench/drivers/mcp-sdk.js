'use strict'

const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js')

module.exports = async () => ({
  start(command, args, onExit) {
    const transport = new StdioClientTransport({ command, args, stderr: 'pipe' })
    transport.onclose = onExit
    transport.start()
    return transport
  },
  pids: (tokens) => tokens.map(({ pid }) => pid)
})

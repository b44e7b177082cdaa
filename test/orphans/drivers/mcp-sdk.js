'use strict'

const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js')

module.exports = async () => {
  let transport
  return {
    start ({ command, args, env }, onOutput, onError) {
      transport = new StdioClientTransport({ command, args, env, stderr: 'pipe' })
      transport.onmessage = message => onOutput(JSON.stringify(message))
      transport.start().catch(onError)
    },
    stop: () => transport.close().then(() => true)
  }
}

'use strict'

/*
 * A program: the manager as a service of one host that is not written in
 * JavaScript. It speaks JSON-RPC over a pair of pipes, see docs/wrapper-protocol.md:
 *
 *   node process-manager-wrapper.js [descriptor to read from] [descriptor to write to]
 *
 * This file is read by whatever Node the host has found: what is older than the
 * oldest that is supported has to get as far as to say so.
 */

const OLDEST_NODE = 20

const input = Number(process.argv[2] || 3)
const output = Number(process.argv[3] || 4)

function refuse() {
  const message = 'mcp-process-manager needs Node.js ' + OLDEST_NODE + ' or later; this is ' + process.version
  const error = { code: -32002, message: message, data: { code: 'ERR_NODE_VERSION', node: process.version } }
  const line = JSON.stringify({ jsonrpc: '2.0', id: null, error: error }) + '\n'
  const socket = new (require('net').Socket)({ fd: output, readable: false, writable: true })
  socket.end(line, function () {
    process.exit(1)
  })
}

if (parseInt(process.versions.node, 10) < OLDEST_NODE) refuse()
else require('./wrapper/serve')(input, output)

'use strict'

/* A bare echo of JSON lines over two pipes: what any program in Node costs that a host talks to that way. */

const net = require('node:net')

const [input, output] = process.argv.slice(2).map(Number)
const reader = new net.Socket({ fd: input, readable: true, writable: false })
const writer = new net.Socket({ fd: output, readable: false, writable: true })
let rest = ''
reader.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop()
  for (const line of lines) writer.write(`${JSON.stringify(JSON.parse(line))}\n`)
})
reader.on('end', () => process.exit())

'use strict'

const { spawn } = require('node:child_process')
const readline = require('node:readline')
const { sinkFor } = require('../lib/sinks')

module.exports = async ({ output }) => ({
  consume(command, args, onEnd) {
    const child = spawn(command, args)
    const sink = sinkFor(output)
    readline.createInterface({ input: child.stdout }).on('line', (line) => sink.take(line))
    child.stderr.resume()
    child.on('close', onEnd)
    return { pid: child.pid, sink }
  },
  seen: ({ sink }) => sink.seen(),
  pids: (tokens) => tokens.map(({ pid }) => pid)
})

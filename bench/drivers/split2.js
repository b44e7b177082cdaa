'use strict'

const { spawn } = require('node:child_process')
const split = require('split2')
const { sinkFor } = require('../lib/sinks')

module.exports = async ({ output }) => ({
  consume(command, args, onEnd) {
    const child = spawn(command, args)
    const sink = sinkFor(output)
    const lines = child.stdout.pipe(split()).on('data', (line) => sink.take(line))
    child.stderr.resume()
    const ends = [[child, 'close'], [lines, 'end']].map(([emitter, event]) =>
      new Promise((resolve) => emitter.on(event, resolve)))
    Promise.all(ends).then(onEnd)
    return { pid: child.pid, sink }
  },
  seen: ({ sink }) => sink.seen(),
  pids: (tokens) => tokens.map(({ pid }) => pid)
})

'use strict'

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { KEPT, sinkFor } = require('../lib/sinks')

/* Ways to consume stdout; each answers what it has seen when asked. */
const outputs = {
  __proto__: null,
  ring(stdout) {
    const sink = sinkFor('ring')
    splitLines(stdout, (line) => sink.take(line))
    return () => sink.seen()
  },
  discard(stdout) {
    stdout.resume()
    return () => ({ characters: stdout.bytesRead })
  },
  stdout(stdout) {
    let characters = 0
    stdout.setEncoding('utf8').on('data', (text) => {
      characters += text.length
    })
    return () => ({ characters })
  }
}

function splitLines(stream, onLine) {
  let rest = ''
  stream.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) onLine(line)
  })
}

/* For lines of any length: only what is new is searched. */
function frame(stream, onLine) {
  let parts = ''
  stream.setEncoding('utf8').on('data', (text) => {
    let from = 0
    for (let end; (end = text.indexOf('\n', from)) >= 0; from = end + 1) {
      const line = parts + text.slice(from, end)
      parts = ''
      onLine(line)
    }
    parts += text.slice(from)
  })
}

/* The same text in memory of its own. V8 puts a concatenation off until it has
 * to, which slice makes it do, and shares the characters of what is sliced. */
const copy = (line) => ` ${line}`.slice(1)

function keepLast(stream) {
  const kept = []
  splitLines(stream, (line) => {
    kept.push(line)
    if (kept.length > KEPT) kept.shift()
  })
  return (count) => kept.slice(-count).map(copy)
}

module.exports = async ({ output, messages } = {}) => ({
  start(command, args, onExit) {
    return spawn(command, args).on('exit', onExit)
  },
  pids: (tokens) => tokens.map(({ pid }) => pid),
  supervise(command, args, onDone) {
    const run = () => spawn(command, args).on('exit', (code) => (code === 0 ? onDone() : run()))
    run()
  },
  consume(command, args, onEnd) {
    const child = spawn(command, args).on('close', onEnd)
    child.stderr.resume()
    return { pid: child.pid, seen: outputs[output](child.stdout) }
  },
  seen: ({ seen }) => seen(),
  async keep(command, args) {
    const child = spawn(command, args)
    const [stdout, stderr] = [keepLast(child.stdout), keepLast(child.stderr)]
    await once(child, 'close')
    return (count) => ({ stdout: stdout(count), stderr: stderr(count) })
  },
  async connect(command, args, onMessage) {
    const child = spawn(command, args)
    const isRaw = messages === 'raw'
    frame(child.stdout, isRaw ? onMessage : (line) => onMessage(JSON.parse(line)))
    child.stderr.resume()
    return {
      send: isRaw
        ? (message) => child.stdin.write(`${message}\n`)
        : (message) => child.stdin.write(`${JSON.stringify(message)}\n`),
      async close() {
        child.stdin.end()
        await once(child, 'close')
      }
    }
  }
})

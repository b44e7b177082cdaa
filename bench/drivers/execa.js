'use strict'

const { sinkFor } = require('../lib/sinks')

module.exports = async ({ output } = {}) => {
  const { execa } = await import('execa')

  /* Without the copy of everything that it keeps for its result otherwise. */
  async function readLines(child, sink) {
    for await (const line of child) sink.take(line)
    await child
  }

  return {
    start(command, args, onExit) {
      const child = execa(command, args)
      child.then(onExit)
      return child
    },
    consume(command, args, onEnd) {
      const child = execa(command, args, { buffer: false })
      const sink = sinkFor(output)
      readLines(child, sink).then(onEnd)
      return { pid: child.pid, sink }
    },
    seen: ({ sink }) => sink.seen(),
    pids: (tokens) => tokens.map(({ pid }) => pid)
  }
}

'use strict'

/* No child at all: what JSON and UTF-8 take, both ways, of what the others do. */

module.exports = async () => ({
  async connect(command, args, onMessage) {
    const answer = (bytes) => onMessage(JSON.parse(bytes.toString('utf8')))
    return {
      send(message) {
        const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
        queueMicrotask(() => answer(bytes))
      },
      async close() {}
    }
  }
})

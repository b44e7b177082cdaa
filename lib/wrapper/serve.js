'use strict'

const Channel = require('./channel')
const Session = require('./session')

/* Errors are told by what callers match on. Nobody else's code runs in this program. */
function toJSON() {
  const { name, message, code, errno, syscall, path } = this
  return { name, message, code, errno, syscall, path }
}

/**
 * Serves the host at the other ends of two pipes until it closes them. What is
 * managed then ends as it does with any host.
 *
 * @param {number} input a descriptor
 * @param {number} output a descriptor
 */
function serve(input, output) {
  Object.defineProperty(Error.prototype, 'toJSON', { value: toJSON, configurable: true, writable: true })
  const leave = () => process.exit(0)
  const channel = new Channel(input, output, leave)
  const session = new Session(channel, leave)
  channel.open((line) => session.receive(line))
  process.on('warning', (warning) => session.warn(warning))
}

module.exports = serve

'use strict'

const path = require('node:path')
const loadAddon = require('node-gyp-build')

/** What went wrong, in words that end with what helps. */
function notBuilt(cause) {
  const [firstLine] = /^.*/.exec(cause?.message ?? cause)
  const error = new Error(
    `The native part of mcp-process-manager could not be loaded (${firstLine}). ` +
      'Build it with `npm rebuild mcp-process-manager`; npm 12 and later does not run install scripts unasked: ' +
      'there, run `npm install-scripts approve mcp-process-manager` first.',
    { cause },
  )
  error.code = 'ERR_ADDON_NOT_BUILT'
  return error
}

function load() {
  try {
    return loadAddon(path.join(__dirname, '..'))
  } catch (cause) {
    /* This one was found and says for itself what is wrong. */
    throw cause?.code === 'ERR_LIBUV_MISMATCH' ? cause : notBuilt(cause)
  }
}

/**
 * The addon. `Manager` and `Sampler` are its classes, `options` is the engine's
 * table of options, `kinds` names what a manager's callback is told, `listen`
 * gives the bit of each event that is only made for listeners, `endWithHost` is for
 * the wrapper.
 */
module.exports = load()

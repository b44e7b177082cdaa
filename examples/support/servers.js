'use strict'

// The MCP servers that the examples run: real ones, from npm.

const path = require('node:path')

/** The script behind the command that a package installs: what npx would run. */
function binScript (packageName) {
  const manifest = require.resolve(`${packageName}/package.json`)
  const { bin } = require(manifest)
  const script = typeof bin === 'string' ? bin : Object.values(bin)[0]
  return path.join(path.dirname(manifest), script)
}

/** A config for spawnProcess: Node itself runs the script, so the pid is the server's own. */
function server (name, args = [], env = {}) {
  return {
    id: name,
    command: process.execPath,
    args: [binScript(`@modelcontextprotocol/server-${name}`), ...args],
    env,
    messages: 'json'
  }
}

/** A server with a tool for each feature of the protocol. */
const everything = () => server('everything')

/** Reads and writes the files of one directory. */
const filesystem = directory => server('filesystem', [directory])

/** A knowledge graph, kept in one file. */
const memory = directory => server('memory', [], { MEMORY_FILE_PATH: path.join(directory, 'memory.jsonl') })

module.exports = { everything, filesystem, memory }

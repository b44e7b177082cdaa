'use strict'

// Follows the log of a server as `tail -f` does: the last lines that it wrote
// already, then every new one as it is written, of both streams in one order.

const ProcessManager = require('mcp-process-manager')
const path = require('node:path')
const { nextEvent } = require('./support/next-event')

/** Prints the last `lines` lines, and from then on each new one, until the process has ended. */
async function follow (manager, id, lines) {
  for await (const { time, stream, line } of manager.followLogs(id, { lines })) {
    console.log(`${new Date(time).toISOString().slice(11, 23)} ${stream.padEnd(6)} | ${line}`)
  }
}

async function main () {
  const manager = new ProcessManager()
  const limit = AbortSignal.timeout(15_000)
  try {
    const ready = nextEvent(manager, 'stderr', ({ data }) => data.includes('ready'), limit)
    const id = manager.spawnProcess({
      command: process.execPath,
      args: [path.join(__dirname, 'support', 'worker.js')]
    })
    await ready

    console.log('The last 2 lines so far, then what follows:')
    const followed = follow(manager, id, 2)
    manager.writeStdin(id, 'resize\nupload\n')
    manager.closeStdin(id)
    await followed
    console.log(`The server left with code ${manager.getProcessStatus(id).exitCode}`)
  } finally {
    await manager.cleanup()
  }
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})

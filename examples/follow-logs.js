'use strict'

// Follows the log of a server as `tail -f` does: the last lines that it wrote
// already, then every new one as it is written.

const ProcessManager = require('mcp-process-manager')
const path = require('node:path')
const { nextEvent } = require('./support/next-event')

const print = (stream, line) => console.log(`${stream.padEnd(6)} | ${line}`)

/** Prints the last `lines` lines of each stream, and from then on each new one. */
function follow (manager, id, lines) {
  // Both in one go: no output can come between them, so no line is lost or printed twice.
  const { stdout, stderr } = manager.getProcessLogs(id, lines)
  manager.on('line', ({ processId, stream, line }) => {
    if (processId === id) print(stream, line)
  })
  for (const line of stdout) print('stdout', line)
  for (const line of stderr) print('stderr', line)
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

    console.log('The last 2 lines of each stream so far, then what follows:')
    follow(manager, id, 2)

    const exit = nextEvent(manager, 'exit', ({ processId }) => processId === id, limit)
    manager.writeStdin(id, 'resize\nupload\n')
    manager.closeStdin(id)
    const { code } = await exit
    console.log(`The server left with code ${code}`)
  } finally {
    await manager.cleanup()
  }
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})

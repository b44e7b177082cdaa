'use strict'

// Restarts with exponential backoff: a server that fails twice and then works,
// and one that never works and is given up. The delays are tiny, so that the
// example ends soon; the defaults begin at one second.

const ProcessManager = require('mcp-process-manager')
const fs = require('node:fs/promises')
const os = require('node:os')
const path = require('node:path')
const { nextEvent } = require('./support/next-event')

const flaky = (id, directory, failures) => ({
  id,
  command: process.execPath,
  args: [path.join(__dirname, 'support', 'flaky.js'), path.join(directory, id), String(failures)],
  autoRestart: true,
  restartDelay: 50,
  restartJitter: 0,
  maxRestarts: 3
})

function report (manager) {
  manager.on('exit', ({ processId, code, signal }) => console.log(`${processId}: ended with ${signal ?? `code ${code}`}`))
  manager.on('backoff', ({ processId, delay }) => console.log(`${processId}: next start in ${delay} ms`))
  manager.on('restart', ({ processId, restarts }) => console.log(`${processId}: restart ${restarts}`))
  manager.on('error', ({ processId, error }) => console.log(`${processId}: ${error.message}`))
}

async function main () {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'restart-policy-'))
  const manager = new ProcessManager()
  const limit = AbortSignal.timeout(15_000)
  report(manager)
  try {
    const works = nextEvent(manager, 'line', ({ stream, line }) => stream === 'stdout' && line.endsWith('works'), limit)
    manager.spawnProcess(flaky('flaky', directory, 2))
    console.log(`flaky: "${(await works).line}"`)
    const { status, restarts } = manager.getProcessStatus('flaky')
    console.log(`flaky: is ${status} after ${restarts} restarts`)

    const givenUp = nextEvent(manager, 'error', ({ processId }) => processId === 'hopeless', limit)
    manager.spawnProcess(flaky('hopeless', directory, Infinity))
    await givenUp
    console.log(`hopeless: status is ${manager.getProcessStatus('hopeless').status}`)
  } finally {
    await manager.cleanup()
    await fs.rm(directory, { recursive: true })
  }
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})

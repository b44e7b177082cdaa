'use strict'

// Three MCP servers from npm under one manager: each is started, spoken to with
// the official SDK and shown in a table; one is made to crash and comes back;
// in the end nothing of them is left. Run it with `npm run demo`.

const fs = require('node:fs/promises')
const os = require('node:os')
const path = require('node:path')
const ProcessManager = require('mcp-process-manager')
const { Client } = require('@modelcontextprotocol/sdk/client/index.js')
const { ManagedTransport } = require('./support/managed-transport')
const { nextEvent } = require('./support/next-event')
const { logTail, statusTable } = require('./support/report')
const servers = require('./support/servers')

const TIME_LIMIT = 20_000

/** One call for each server: a tool, its arguments, and what to print of the answer. */
const calls = directory => ({
  everything: { name: 'echo', arguments: { message: 'hello' } },
  filesystem: { name: 'read_text_file', arguments: { path: path.join(directory, 'notes.txt') } },
  memory: {
    name: 'create_entities',
    arguments: { entities: [{ name: 'demo', entityType: 'program', observations: ['was here'] }] }
  }
})

const heading = text => console.log(`\n${text}`)

/** Speaks with a process that runs, as a new client: how many tools it has, what the call of one answers. */
async function converse (manager, id, request) {
  const client = new Client({ name: 'mcp-process-manager-demo', version: '1.0.0' })
  await client.connect(new ManagedTransport(manager, id))
  const { tools } = await client.listTools()
  const { content, isError } = await client.callTool(request)
  const answer = content[0].text.replaceAll(/\s+/g, ' ').trim()
  if (isError) throw new Error(`Tool ${request.name} of ${id} failed: ${answer}`)
  return { toolCount: tools.length, answer }
}

/** Speaks with all of them at once. The numbers of their tools, by id. */
async function converseWithAll (manager, requests) {
  const toolCounts = new Map()
  const answers = await Promise.all(Object.entries(requests).map(async ([id, request]) => {
    const { toolCount, answer } = await converse(manager, id, request)
    toolCounts.set(id, toolCount)
    return `  ${id}: ${toolCount} tools; ${request.name} answers: ${answer}`
  }))
  console.log(answers.join('\n'))
  return toolCounts
}

/** Kills a server from outside, waits until it runs again and calls it again. */
async function crashAndReturn (manager, id, request, signal) {
  const { pid } = manager.getProcessStatus(id)
  const events = Promise.all(['exit', 'restart'].map(event =>
    nextEvent(manager, event, ({ processId }) => processId === id, signal)
  ))
  process.kill(pid, 'SIGKILL')
  const [exit, restart] = await events
  console.log(`  ${id}: pid ${exit.pid} ended by ${exit.signal}, runs again with pid ${restart.pid}`)
  const { answer } = await converse(manager, id, request)
  console.log(`  ${id}: ${request.name} answers: ${answer}`)
}

function lives (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if (error.code === 'ESRCH') return false
    throw error
  }
}

async function demo (manager, directory, signal) {
  const requests = calls(directory)
  await fs.writeFile(path.join(directory, 'notes.txt'), 'a note in a file\n')

  heading('Three servers start and are called')
  manager.spawnProcess({ ...servers.everything(), autoRestart: true, restartDelay: 100 })
  manager.spawnProcess(servers.filesystem(directory))
  manager.spawnProcess(servers.memory(directory))
  const toolCounts = await converseWithAll(manager, requests)

  heading('Their status')
  console.log(statusTable(manager.listProcesses(), toolCounts))

  heading('The last lines of their logs')
  console.log(logTail(manager, 2))

  heading('One of them crashes')
  await crashAndReturn(manager, 'everything', requests.everything, signal)
  console.log(statusTable(manager.listProcesses(), toolCounts))
}

function rejectOnAbort (signal) {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Runs the demo and cleans up after it, however it ends. */
async function main () {
  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => interrupted.abort(new Error(`Interrupted by ${name}`)))
  const signal = AbortSignal.any([AbortSignal.timeout(TIME_LIMIT), interrupted.signal])

  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'mcp-demo-'))
  // It ends soon, so its figures are taken more often than every 5 seconds.
  const manager = new ProcessManager({ monitorInterval: 100 })
  const pids = []
  manager.on('spawn', ({ pid }) => pids.push(pid))
  manager.on('error', ({ processId, error }) => console.error(`  ${processId}: ${error.message}`))
  try {
    await Promise.race([demo(manager, directory, signal), rejectOnAbort(signal)])
  } finally {
    await manager.cleanup()
    await fs.rm(directory, { recursive: true })
  }

  heading('The end')
  const left = pids.filter(lives)
  if (left.length > 0) throw new Error(`Still there after cleanup: ${left.join(', ')}`)
  console.log(`  All ${pids.length} processes are gone: ${pids.join(', ')}`)
}

// Stands until the end is reached: a promise that is never settled would let
// Node leave early, with success.
process.exitCode = 1
main().then(
  () => { process.exitCode = 0 },
  error => { console.error('The demo failed:', error) }
)

'use strict'

// Runs a piece of a test in a Node process of its own: a host that may end in
// any way without taking the test runner along.

const { spawn } = require('node:child_process')
const { randomUUID } = require('node:crypto')
const path = require('node:path')
const { survivorsWith } = require('../setup/survivors')
const { preload } = require('./manager')
const { until } = require('./children')

const root = path.join(__dirname, '..', '..')

/** What a host script finds: the class, fixture(), print(), and args. */
const prelude = `
'use strict'
const ProcessManager = require(${JSON.stringify(path.join(root, 'lib', 'process-manager.js'))})
const root = ${JSON.stringify(root)}
const fixture = name => require('node:path').join(root, 'build', 'fixtures', name)
const print = value => require('node:fs').writeSync(1, JSON.stringify(value) + '\\n')
const ready = (manager, id) => new Promise(resolve => {
  manager.on('stdout', ({ processId, data }) => processId === id && data.includes('ready') && resolve())
})
`

/** The names that a body may use are those of the prelude. */
function scriptOf (body, args) {
  return `${prelude}\n;(${body})({ ProcessManager, root, fixture, print, ready }, ...${JSON.stringify(args)})`
}

function startNode (body, { args = [], nodeArgs = [], env = {}, wrap = [], stdin = 'ignore' }) {
  const line = [...wrap, process.execPath, ...nodeArgs, '-e', scriptOf(body, args)]
  const cookie = randomUUID()
  const child = spawn(line[0], line.slice(1), {
    cwd: root,
    stdio: [stdin, 'pipe', 'pipe'],
    env: { ...process.env, ...(preload && { LD_PRELOAD: preload }), ...env, PM_HOST_COOKIE: cookie }
  })
  return { child, cookie }
}

/**
 * Runs body, a function that is told { ProcessManager, root, fixture, print,
 * ready } and args, in a node process: with nodeArgs, more of env, started by the
 * command line wrap. onLine is called with what it prints, while it runs, and
 * with the child, which has a stdin with stdin: 'pipe'.
 *
 * Resolves with { code, signal, printed, stderr, survivors() } when it has ended;
 * survivors() waits until nothing that the host started is left, or fails.
 */
function runHost (body, options = {}) {
  const { child, cookie } = startNode(body, options)
  let stdout = ''
  let stderr = ''
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`The host did not end; it printed:\n${stdout}\n${stderr}`))
    }, options.limit ?? 40000)
    child.stderr.setEncoding('utf8').on('data', text => { stderr += text })
    child.stdout.setEncoding('utf8').on('data', text => {
      const known = stdout.lastIndexOf('\n') + 1
      stdout += text
      const end = stdout.lastIndexOf('\n') + 1
      if (!options.onLine) return
      for (const line of stdout.slice(known, end).split('\n').filter(Boolean)) options.onLine(JSON.parse(line), child)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stderr, printed: printedLines(stdout, stderr), survivors: () => noSurvivors(cookie) })
    })
  })
}

function printedLines (stdout, stderr) {
  try {
    return stdout.split('\n').filter(Boolean).map(line => JSON.parse(line))
  } catch (cause) {
    throw new Error(`The host printed something else than JSON:\n${stdout}\n${stderr}`, { cause })
  }
}

async function noSurvivors (cookie) {
  let left = []
  try {
    await until(() => (left = survivorsWith('PM_HOST_COOKIE', cookie)).length === 0, 'nothing was left', 5000)
  } catch {
    throw new Error(`The host left behind:\n${left.join('\n')}`)
  }
}

module.exports = { runHost }

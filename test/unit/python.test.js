'use strict'

// The Python suites, where there is a Python.

const { execFileSync, spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { preload, portable } = require('../support/manager')
const { checkTraffic } = require('../support/wrapper')

const root = path.join(__dirname, '..', '..')
const python = process.env.PYTHON ?? 'python3'
const OLDEST = [3, 9]

/** The version of the Python that is found, or why there is none. */
function lookForPython () {
  try {
    const text = execFileSync(python, ['-c', 'import sys, json, unittest; print(*sys.version_info[:2])'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    const [major, minor] = text.split(' ').map(Number)
    if (major === OLDEST[0] && minor >= OLDEST[1]) return { version: `${major}.${minor}` }
    return { problem: `${python} is ${major}.${minor}, not ${OLDEST.join('.')} or later` }
  } catch (error) {
    return { problem: `${python} cannot be run (${error.code ?? error.message.split('\n')[0]})` }
  }
}

const { version, problem } = lookForPython()
if (problem) console.warn(`The Python suites are left out: ${problem}`)

/* A sanitizer's runtime would be loaded into Python as well, and into all that it starts. Without keepers what is
 * promised of trees and limits does not hold. */
const suite = problem || preload || portable ? test.skip : test

/* Before Jest gives up: the one that hangs says where, and does not live on. */
const LONGEST = 280000
const running = new Set()

afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs a suite with warnings as errors; answers its exit code, and all that it says. */
function run (file, args = [], env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(python, ['-X', 'dev', '-X', 'faulthandler', '-W', 'error', path.join(root, file), '--verbose', ...args], {
      cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, timeout: LONGEST, killSignal: 'SIGABRT'
    })
    running.add(child)
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { said += text })
    child.on('error', reject)
    child.on('exit', () => running.delete(child))
    child.on('close', (code, signal) => resolve({ code: code ?? signal, said }))
  })
}

suite.each([
  ['test/unit/test_process_manager_impl.py'], ['test/python/test_async.py'], ['test/python/test_life.py'],
  ['test/python/test_start.py']
])(`%s passes (Python ${version})`, async file => {
  const { code, said } = await run(file)
  if (code !== 0) throw new Error(said)
  expect(said).toMatch(/^Ran [1-9]\d* tests? in /m)
  expect(said).not.toContain('Warning')
}, 300000)

suite('what Python says and is told is what the schema has', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'python traffic '))
  try {
    const { code, said } = await run(
      'test/unit/test_process_manager_impl.py',
      ['ContractTest', 'ConfigTest', 'InputOutputTest', 'LogsTest', 'LifecycleTest.test_metrics', 'LifecycleTest.test_restart_signal_remove'],
      { PM_TEE_DIRECTORY: directory, MCP_PROCESS_MANAGER_NODE: path.join(root, 'test', 'support', 'tee-node.js') }
    )
    if (code !== 0) throw new Error(said)
    const logs = fs.readdirSync(directory)
    expect(logs.length).toBeGreaterThan(10)
    for (const name of logs) {
      const lines = fs.readFileSync(path.join(directory, name), 'utf8').trim().split('\n').map(line => JSON.parse(line))
      expect(lines.length).toBeGreaterThanOrEqual(2)
      // Python is wrong on purpose where it is to be refused.
      checkTraffic(lines, true)
      if (!lines.some(({ from }) => from?.includes('"error":{"code":-32602'))) checkTraffic(lines)
    }
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}, 300000)

'use strict'

// The Python suites, where there is a Python.

const { execFileSync, spawn } = require('node:child_process')
const path = require('node:path')
const { preload } = require('../support/manager')

const root = path.join(__dirname, '..', '..')
const python = process.env.PYTHON ?? 'python3'
const OLDEST = [3, 9]

/** The version of the Python that is found, or why there is none. */
function lookForPython () {
  try {
    const text = execFileSync(python, ['-c', 'import sys; print(*sys.version_info[:2])'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    const [major, minor] = text.split(' ').map(Number)
    if (major === OLDEST[0] && minor >= OLDEST[1]) return { version: `${major}.${minor}` }
    return { problem: `${python} is ${major}.${minor}, not ${OLDEST.join('.')} or later` }
  } catch (error) {
    return { problem: `${python} cannot be run (${error.code ?? error.message.split('\n')[0]})` }
  }
}

const { version, problem } = lookForPython()
if (problem) console.warn(`The Python suites are left out: ${problem}`)

/* A sanitizer's runtime would be loaded into Python as well, and into all that it starts. */
const suite = problem || preload ? test.skip : test

/** Runs a suite with warnings as errors; answers its exit code, and all that it says. */
function run (file) {
  return new Promise((resolve, reject) => {
    const child = spawn(python, ['-X', 'dev', '-W', 'error', path.join(root, file), '--verbose'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { said += text })
    child.on('error', reject)
    child.on('close', code => resolve({ code, said }))
  })
}

suite.each([
  ['test/unit/test_process_manager_impl.py'], ['test/python/test_async.py'], ['test/python/test_life.py']
])(`%s passes (Python ${version})`, async file => {
  const { code, said } = await run(file)
  if (code !== 0) throw new Error(said)
  expect(said).toMatch(/^Ran [1-9]\d* tests? in /m)
  expect(said).not.toContain('Warning')
}, 300000)

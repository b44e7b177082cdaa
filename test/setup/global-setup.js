'use strict'

// Compiles the child programs of test/fixtures with the system's C compiler, and
// what lies in test/fixtures/libraries to be loaded by a host.

const { execFileSync } = require('node:child_process')
const { randomUUID } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const source = path.join(__dirname, '..', 'fixtures')
const target = path.join(__dirname, '..', '..', 'build', 'fixtures')

function isStale (from, to) {
  return !fs.existsSync(to) || fs.statSync(to).mtimeMs < fs.statSync(from).mtimeMs
}

function compile (directory, suffix, ...flags) {
  for (const file of fs.readdirSync(directory).filter(name => name.endsWith('.c'))) {
    const from = path.join(directory, file)
    const to = path.join(target, path.basename(file, '.c') + suffix)
    if (isStale(from, to)) execFileSync(process.env.CC || 'cc', ['-std=gnu11', '-O1', ...flags, '-o', to, from], { stdio: 'inherit' })
  }
}

module.exports = function globalSetup () {
  fs.mkdirSync(target, { recursive: true })
  compile(source, '', '-pthread')
  compile(path.join(source, 'libraries'), '.so', '-shared', '-fPIC')
  // Read by test/setup/environment.js in the workers, looked for in the end.
  process.env.PM_TEST_RUN = randomUUID()
}

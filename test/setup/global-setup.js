'use strict'

// Compiles the child programs of test/fixtures with the system's C compiler.

const { execFileSync } = require('node:child_process')
const { randomUUID } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const source = path.join(__dirname, '..', 'fixtures')
const target = path.join(__dirname, '..', '..', 'build', 'fixtures')

function isStale (from, to) {
  return !fs.existsSync(to) || fs.statSync(to).mtimeMs < fs.statSync(from).mtimeMs
}

module.exports = function globalSetup () {
  fs.mkdirSync(target, { recursive: true })
  for (const file of fs.readdirSync(source).filter(name => name.endsWith('.c'))) {
    const from = path.join(source, file)
    const to = path.join(target, path.basename(file, '.c'))
    if (isStale(from, to)) execFileSync(process.env.CC || 'cc', ['-std=gnu11', '-O1', '-pthread', '-o', to, from], { stdio: 'inherit' })
  }
  // Read by test/setup/environment.js in the workers, looked for in the end.
  process.env.PM_TEST_RUN = randomUUID()
}

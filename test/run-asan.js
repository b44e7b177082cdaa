'use strict'

// Runs the Jest suite on an addon built with AddressSanitizer (Node's own
// common.gypi has the switch). The normal addon is put back afterwards, also
// when the tests fail. The sanitizer's runtime has to be loaded before node, so
// it is preloaded; the tests keep it from the children they start.

const { execFileSync, spawnSync } = require('node:child_process')
const path = require('node:path')

const root = path.join(__dirname, '..')
const gyp = path.join(path.dirname(require.resolve('node-gyp/package.json')), 'bin', 'node-gyp.js')
const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin', 'jest.js')

function build (...options) {
  const nodedir = process.env.npm_config_nodedir ? [`--nodedir=${process.env.npm_config_nodedir}`] : []
  execFileSync(process.execPath, [gyp, 'rebuild', '--silent', ...nodedir, ...options], { cwd: root, stdio: 'inherit' })
}

function runtime () {
  return execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
}

build('--asan=1')
let result
try {
  // Node's own memory at its end is not ours to judge; what the engine leaks is
  // found by the C tests.
  const env = { ...process.env, PM_TEST_ASAN: '1', LD_PRELOAD: runtime(), ASAN_OPTIONS: 'detect_leaks=0' }
  result = spawnSync(process.execPath, [jest, '--runInBand', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit', env })
} finally {
  build()
}
process.exitCode = result.status ?? 1

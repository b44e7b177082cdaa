'use strict'

// How the build finds out how the keeper is to be linked, and that it says so.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const script = path.join(__dirname, '..', '..', 'scripts', 'keeper-linkage.js')
let directory

beforeEach(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'linkage-test-')) })
afterEach(() => fs.rmSync(directory, { recursive: true }))

/** A compiler that fails with any of these flags. */
function compilerWithout (...flags) {
  const file = path.join(directory, 'cc')
  const refusals = flags.map(flag => `case " $* " in *" ${flag} "*) exit 1;; esac\n`)
  fs.writeFileSync(file, `#!/bin/sh\n${refusals.join('')}exec cc "$@"\n`, { mode: 0o755 })
  return file
}

function run (args = [], env = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env: { ...process.env, ...env } })
  return { status, stdout, stderr }
}

const chosen = linkage => ({
  status: 0, stdout: `${linkage}\n`, stderr: expect.stringContaining(`the keeper is linked ${linkage}\n`)
})

test('without libc where that works', () => {
  expect(run()).toEqual(chosen('freestanding'))
})

test('else statically', () => {
  expect(run([], { CC: compilerWithout('-nostdlib') })).toEqual(chosen('static'))
})

test('as the last resort dynamically', () => {
  expect(run([], { CC: compilerWithout('-static') })).toEqual(chosen('dynamic'))
  expect(run([], { CC: path.join(directory, 'none') })).toEqual(chosen('dynamic'))
})

test.each([['freestanding'], ['static'], ['dynamic']])('as it was asked for: %s', linkage => {
  expect(run([linkage], { CC: path.join(directory, 'none') })).toEqual(chosen(linkage))
})

test('in no other way', () => {
  expect(run(['somehow']).status).not.toBe(0)
  expect(run(['somehow']).stderr).toContain('not somehow')
})

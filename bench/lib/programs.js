'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')
const sources = path.join(__dirname, '..', 'c')
const output = path.join(root, 'build', 'bench')
const compiler = process.env.CC ?? 'cc'
const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror']

/* The children are linked statically: they are to cost as little as a program
 * can, in every row. */
const programs = {
  __proto__: null,
  'exit-now': ['-static', 'exit-now.c'],
  sleeper: ['-static', 'sleeper.c'],
  crash: ['-static', 'crash.c'],
  first: ['-static', 'first.c'],
  awkward: ['-static', 'awkward.c'],
  family: ['-static', 'family.c'],
  echo: ['-static', 'echo.c'],
  writer: ['-static', 'writer.c'],
  'limit-spawn': ['limit-spawn.c', 'limit.c'],
  'limit-scale': ['limit-scale.c', 'limit.c'],
  'limit-restart': ['limit-restart.c', 'limit.c'],
  'limit-capture': ['limit-capture.c', 'sources.c', 'limit.c'],
  'limit-flood': ['limit-flood.c', 'sources.c', 'limit.c'],
  'limit-messages': ['limit-messages.c', 'limit.c'],
  'limit-metrics': ['limit-metrics.c', 'limit.c']
}

function isCurrent(file) {
  if (!fs.existsSync(file)) return false
  const { mtimeMs } = fs.statSync(file)
  return fs.readdirSync(sources).every((name) => fs.statSync(path.join(sources, name)).mtimeMs <= mtimeMs)
}

/** Compiles what is missing or older than any source. */
function compile() {
  fs.mkdirSync(output, { recursive: true })
  for (const name of Object.keys(programs)) {
    const file = program(name)
    if (isCurrent(file)) continue
    execFileSync(compiler, [...flags, '-o', file, ...programs[name]], { cwd: sources, stdio: 'inherit' })
  }
}

/** Where a compiled program is. */
function program(name) {
  return path.join(output, name)
}

module.exports = { compile, program, compiler, output, root }

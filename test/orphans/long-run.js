'use strict'

/*
 * node test/orphans/long-run.js [--runs 10] [--node 22 | PATH]… [--in checkout | tarball | user]… [--row NAME]…
 *   [--end NAME]… [--containment tree] [--parallel 6]
 *
 * The whole matrix many times: from the checkout on this Node and others, which
 * npm installs below build/ where only a version is given, then from the
 * installed tarball, then from there as a user without any privilege. Prints a
 * table of each; exits with 1 when anything survived.
 */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { table } = require('../../bench/lib/table')
const { runCell } = require('./cell')
const { rows, ends, cells, named, inParallel } = require('./matrix')
const { prepare, prepareInstalled, root } = require('./place')

const NOBODY = 65534

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    parallel: { type: 'string', default: '6' },
    node: { type: 'string', multiple: true, default: ['22', '24', '26'] },
    in: { type: 'string', multiple: true, default: ['checkout', 'tarball', 'user'] },
    row: { type: 'string', multiple: true },
    end: { type: 'string', multiple: true },
    containment: { type: 'string', default: 'tree' }
  }
})
const runs = Number(values.runs)
const chosenRows = values.row ? named(rows, values.row) : rows
const chosenEnds = values.end ? named(ends, values.end) : ends

/* The package of the binary itself: that of all systems fetches it by a script, which npm 12 does not run. */
function nodeOf (version) {
  if (!/^[\d.]+$/.test(version)) return path.resolve(version)
  const directory = path.join(root, 'build', 'orphans', `node-${version}`)
  const name = `node-${process.platform}-${process.arch}`
  const node = path.join(directory, 'node_modules', name, 'bin', 'node')
  if (!fs.existsSync(node)) {
    fs.mkdirSync(directory, { recursive: true })
    execFileSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', directory, `${name}@${version}`],
      { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  return node
}

/** What is run: its name, what makes the place, and what a cell is told. */
function variants () {
  const list = []
  const has = where => values.in.includes(where)
  if (has('checkout')) {
    list.push({ name: 'checkout', make: prepare, setting: {} })
    for (const version of values.node) list.push({ name: 'checkout', make: prepare, setting: { node: nodeOf(version) } })
  }
  if (has('tarball')) list.push({ name: 'installed tarball', make: prepareInstalled, setting: {} })
  if (has('user') && process.getuid() === 0) {
    list.push({ name: `installed tarball, uid ${NOBODY}`, make: prepareInstalled, setting: { user: NOBODY, hostEnv: { HOME: '/' } } })
  }
  return list
}

/* A cell that could not be run is no success. */
async function tryCell (cell, setting) {
  try {
    const result = await runCell(cell, setting)
    const { stop } = result
    const wrong = stop && (stop.stopped !== true || stop.isHeld || stop.left.length > 0) ? [`at the stop's end: ${JSON.stringify(stop)}`] : []
    if (result.containment !== values.containment) wrong.push(`containment is ${result.containment}`)
    return { ...result, problems: [...result.survivors, ...wrong] }
  } catch (error) {
    return { ...cell, stood: 0, survivors: [], ms: null, problems: [error.message] }
  }
}

function textOf (results) {
  const survivors = results.reduce((sum, { survivors }) => sum + survivors.length, 0)
  const all = results.reduce((sum, { row, stood }) => sum + (row.isSteady ? stood : row.size), 0)
  const slowest = Math.max(...results.map(({ ms }) => ms ?? Infinity))
  return `${survivors}/${all} ${slowest === Infinity ? 'never' : `${Math.round(slowest)} ms`}`
}

function show (title, results) {
  const body = chosenRows.map(row => [row.name, ...chosenEnds.map(end =>
    textOf(results.filter(result => result.row === row && result.end === end)))])
  console.log(`\n${table([title, ...chosenEnds.map(({ name }) => name)], body)}`)
  for (const { row, end, problems } of results) {
    if (problems.length > 0) console.log(`${row.name}, ${end.name}: ${problems.join('; ')}`)
  }
}

/** Answers how many cells failed. */
async function runVariant ({ name, make, setting }) {
  const version = execFileSync(setting.node ?? process.execPath, ['--version'], { encoding: 'utf8' }).trim()
  const place = make()
  try {
    const list = Array.from({ length: runs }, () => cells(chosenRows, chosenEnds)).flat()
    const options = { manager: { containment: values.containment } }
    const results = await inParallel(list, Number(values.parallel), cell => tryCell(cell, { ...setting, place, options, driver: 'ours' }))
    show(`${name}, Node ${version}`, results)
    return results.filter(({ problems }) => problems.length > 0).length
  } finally {
    place.remove()
  }
}

async function main () {
  process.exitCode = 1 // until the end is reached: Node ends with 0 when its loop runs dry
  let failed = 0
  console.log(`${runs} runs of each cell: survivors/processes, and the slowest from the host's end until nothing was left`)
  for (const variant of variants()) failed += await runVariant(variant)
  console.log(`\n${failed} cells failed`)
  process.exitCode = failed > 0 ? 1 : 0
}

main()

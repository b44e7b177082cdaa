'use strict'

// npm, run as users run it, for the tests of what it packs and installs.

const { execFileSync } = require('node:child_process')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')
/* npm runs these tests, too, and tells its children of the project that it runs them for. */
const ofProject = /^npm_(package|lifecycle|execpath|command|config_local_prefix)/
const inherited = Object.entries(process.env).filter(([name]) => !ofProject.test(name))
/* For node-gyp: as many compilers as there are processors. */
const env = { ...Object.fromEntries(inherited), JOBS: 'max' }
const quiet = ['--loglevel=error', '--no-audit', '--no-fund', '--no-update-notifier']

/** Runs npm in a directory; cli is another one's npm-cli.js. Answers its stdout, throws with its stderr. */
function npm (cwd, args, cli) {
  const [file, first] = cli ? [process.execPath, [cli]] : ['npm', []]
  return execFileSync(file, [...first, ...args, ...quiet], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Packs a directory, this checkout if none is given; answers what npm says of the tarball: filename, size, files. */
function packIn (directory, ...args) {
  // An array, or from npm 12 on an object.
  return Object.values(JSON.parse(npm(directory, ['pack', '--json', ...args])))[0]
}

const pack = (...args) => packIn(root, ...args)

module.exports = { npm, pack, packIn, root }

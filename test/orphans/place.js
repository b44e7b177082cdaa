'use strict'

// Where cells run: a directory that every user can read, with all they need.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { npm, pack, root } = require('../support/npm')

/* What npm runs: holds the lifeline, as fixtures/tree does. */
const server = `#!/usr/bin/env node
'use strict'
const fs = require('node:fs')
fs.openSync(process.env.PM_TREE_LIFELINE, fs.constants.O_WRONLY)
setTimeout(() => {}, 120000)
console.log(JSON.stringify({ jsonrpc: '2.0', method: 'ready' }))
`

/* npm as it is, but for the network and for what it writes to the home directory. */
function npmEnv (directory) {
  return {
    npm_config_cache: path.join(directory, 'cache'),
    npm_config_logs_max: '0',
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false'
  }
}

/** A project with a dependency whose bin is "orphan-server". */
function installServer (directory, env) {
  const project = path.join(directory, 'npm')
  const package_ = path.join(project, 'server')
  fs.mkdirSync(package_, { recursive: true })
  fs.writeFileSync(path.join(project, 'package.json'), '{ "private": true }')
  fs.writeFileSync(path.join(package_, 'package.json'), '{ "name": "orphan-server", "version": "1.0.0", "bin": "server.js" }')
  fs.writeFileSync(path.join(package_, 'server.js'), server, { mode: 0o755 })
  execFileSync('npm', ['install', '--prefix', project, '--no-audit', '--no-fund', '--loglevel=error', package_], {
    cwd: project, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit']
  })
  return project
}

function compileTree (directory) {
  const tree = path.join(directory, 'tree')
  const source = path.join(root, 'test', 'fixtures', 'tree.c')
  execFileSync(process.env.CC || 'cc', ['-std=gnu11', '-O1', '-o', tree, source], { stdio: 'inherit' })
  return tree
}

/**
 * Makes a place. tree is the program of the rows, host the script that is the
 * host, cwd where it runs, env what its trees get, library the manager it
 * loads. remove() takes it away.
 */
function prepare () {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'orphans-'))
  fs.chmodSync(directory, 0o755)
  const env = npmEnv(directory)
  fs.mkdirSync(env.npm_config_cache)
  const tree = compileTree(directory)
  const cwd = installServer(directory, env)
  execFileSync('chmod', ['-R', 'a+rwX', env.npm_config_cache])
  return {
    directory, tree, cwd, env,
    host: path.join(__dirname, 'host.js'),
    library: root,
    remove: () => fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** A place that has the package as npm publishes and installs it, and needs nothing of this checkout. */
function prepareInstalled () {
  const place = prepare()
  const { filename } = pack('--pack-destination', place.directory)
  npm(place.directory, ['install', '--ignore-scripts', path.join(place.directory, filename)])
  for (const name of ['orphans', 'setup']) {
    fs.cpSync(path.join(root, 'test', name), path.join(place.directory, 'test', name), { recursive: true })
  }
  return {
    ...place,
    host: path.join(place.directory, 'test', 'orphans', 'host.js'),
    library: path.join(place.directory, 'node_modules', 'mcp-process-manager')
  }
}

module.exports = { prepare, prepareInstalled, root }

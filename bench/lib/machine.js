'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { compiler, root } = require('./programs')

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

/* By file: the packages' export maps hide package.json. */
function versionOf(name) {
  const places = [path.join(root, 'bench', 'node_modules'), path.join(root, 'node_modules')]
  for (const place of places) {
    const text = read(path.join(place, name, 'package.json'))
    if (text) return JSON.parse(text).version
  }
  throw new Error(`${name} is not installed: run npm install, and npm install --prefix bench`)
}

/** What the figures depend on: machine and versions. */
function describe(peers) {
  const cpus = os.cpus()
  const [thp] = /(?<=\[)\w+/.exec(read('/sys/kernel/mm/transparent_hugepage/enabled')) ?? ['unknown']
  return {
    cpu: `${cpus.length} x ${cpus[0]?.model.trim() ?? 'unknown'}`,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    hugePages: thp,
    compiler: execFileSync(compiler, ['--version'], { encoding: 'utf8' }).split('\n')[0],
    versions: {
      node: process.versions.node,
      libuv: process.versions.uv,
      'mcp-process-manager': require('../../package.json').version,
      ...Object.fromEntries(peers.map((name) => [name, versionOf(name)]))
    }
  }
}

/** Load averages and how many processes there are. */
function load() {
  const processes = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length
  return { average: os.loadavg().map((value) => Number(value.toFixed(2))), processes }
}

/** Throws when the machine is too small for what shall be measured. */
function demand(needs) {
  const [, files = '0'] = /Max open files\s+\d+\s+(\d+)/.exec(read('/proc/self/limits')) ?? []
  if (Number(files) < needs.openFiles) {
    throw new Error(`the hard limit of open files is ${files}, ${needs.openFiles} are needed: ulimit -n ${needs.openFiles}`)
  }
  const [, free = '0'] = /MemAvailable:\s+(\d+) kB/.exec(read('/proc/meminfo')) ?? []
  if (Number(free) / 1024 < needs.memory) {
    throw new Error(`${Math.round(free / 1024)} MiB of memory are available, ${needs.memory} are needed`)
  }
}

module.exports = { describe, load, demand }

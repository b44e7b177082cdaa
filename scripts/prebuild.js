'use strict'

// Builds the addon and the keeper as they travel in the tarball, from clean
// sources in a scratch directory, into prebuilds/ (the layout of prebuildify,
// which node-gyp-build looks for). With --remove, takes prebuilds/ away: in a
// checkout it would hide that nothing was compiled.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const root = path.join(__dirname, '..')
const target = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`)
const keeper = 'mcp-process-keeper'
/* The tag keeps it from systems with musl. */
const addon = 'mcp-process-manager.glibc.node'

/* What the binaries of the oldest supported Node ask for themselves. */
const newest = { GLIBC: '2.28', GLIBCXX: '3.4.21', CXXABI: '1.3.9', GCC: '4.2.0' }

/* What a shell's profile adds for its own machine (-march=native) is not for others'. */
const environment = { ...process.env, LC_ALL: 'C' }
for (const name of ['CFLAGS', 'CXXFLAGS', 'CPPFLAGS', 'LDFLAGS']) delete environment[name]

/* Answers what it printed; what failed prints on our stderr. */
function run (file, ...args) {
  const { status, error, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', env: environment })
  if (status === 0) return stdout
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  throw new Error(`${file} ${args.join(' ')} failed (${error?.message ?? status})`)
}

/** Answers the directory with the two files. */
function compile (scratch) {
  for (const name of ['binding.gyp', 'package.json', 'csrc', 'scripts']) {
    fs.cpSync(path.join(root, name), path.join(scratch, name), { recursive: true })
  }
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(scratch, 'node_modules'))
  const gyp = path.join(path.dirname(require.resolve('node-gyp/package.json')), 'bin', 'node-gyp.js')
  run(process.execPath, gyp, 'rebuild', '--silent', `--directory=${scratch}`, `--jobs=${os.availableParallelism()}`,
    '--', '-Dolder_glibc=1', '-Dkeeper_linkage=freestanding')
  return path.join(scratch, 'build', 'Release')
}

function isNewer (version, than) {
  return version.localeCompare(than, 'en', { numeric: true }) > 0
}

/* npm pack prints its result to stdout, so nothing else may. */
function say (text) {
  console.error(`prebuild: ${text}`)
}

/* What it cannot be loaded without, by name: the newest version of each. */
function needs (file) {
  const found = {}
  for (const [, name, version] of run('objdump', '-T', file).matchAll(/\((GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)\)/g)) {
    if (!found[name] || isNewer(version, found[name])) found[name] = version
  }
  return found
}

function check (directory) {
  const found = needs(path.join(directory, addon))
  say(`${addon} needs ${Object.entries(found).map(entry => entry.join(' ')).join(', ')} or later`)
  for (const [name, version] of Object.entries(found)) {
    if (isNewer(version, newest[name])) throw new Error(`${addon} needs ${name} ${version}, newer than ${newest[name]}: see csrc/prebuild`)
  }
  if (/\bINTERP\b/.test(run('readelf', '-lW', path.join(directory, keeper)))) throw new Error(`${keeper} is not linked statically`)
  run(path.join(directory, keeper), 'probe')
  run(process.execPath, '-e', `process.dlopen({ exports: {} }, ${JSON.stringify(path.join(directory, addon))})`)
}

function build () {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'prebuild-'))
  try {
    const release = compile(scratch)
    const made = path.join(scratch, 'made')
    fs.mkdirSync(made)
    run('strip', '--strip-unneeded', '-o', path.join(made, addon), path.join(release, 'process_manager.node'))
    fs.copyFileSync(path.join(release, keeper), path.join(made, keeper))
    for (const name of [addon, keeper]) fs.chmodSync(path.join(made, name), 0o755)
    check(made)
    fs.cpSync(made, target, { recursive: true })
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true })
  }
}

fs.rmSync(path.join(root, 'prebuilds'), { recursive: true, force: true })
if (!process.argv.includes('--remove')) build()

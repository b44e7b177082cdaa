'use strict'

// Installs what npm would publish into empty projects, in the ways that users do,
// and runs some rows of the orphan matrix there. --keep leaves the directory.

const assert = require('node:assert/strict')
const { execFileSync, fork, spawnSync } = require('node:child_process')
const { randomUUID } = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { runCell } = require('./orphans/cell')
const { rows, ends, cells, named, inParallel } = require('./orphans/matrix')
const { prepare } = require('./orphans/place')
const { survivorsWith } = require('./setup/survivors')
const { npm, pack, packIn, root } = require('./support/npm')

const name = 'mcp-process-manager'
const built = 'build/Release/process_manager.node'
const prebuilt = `prebuilds/${process.platform}-${process.arch}/${name}.glibc.node`

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'install test-'))
const made = {}

function emptyProject () {
  const directory = fs.mkdtempSync(path.join(scratch, 'project-'))
  fs.writeFileSync(path.join(directory, 'package.json'), '{ "private": true }')
  return directory
}

const packageIn = project => path.join(project, 'node_modules', name)

/* Runs a little program in the project; answers what it prints. */
function runIn (project, program) {
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: project, encoding: 'utf8' }))
}

/** Throws unless the package works there, with the addon in that file. */
function expectUse (project, addon) {
  const seen = runIn(project, `
    import fs from 'node:fs'
    import ProcessManager from '${name}'
    const manager = new ProcessManager()
    const warnings = []
    process.on('warning', warning => warnings.push(warning.message))
    const id = manager.spawnProcess({ command: 'sh', args: ['-c', 'echo ready; cat'] })
    await new Promise(resolve => manager.on('stdout', resolve))
    const { status, containment, pid } = manager.getProcessStatus(id)
    const command = fs.readFileSync('/proc/' + pid + '/cmdline', 'utf8').split('\\0')[0]
    const addons = fs.readFileSync('/proc/self/maps', 'utf8').match(/\\/.*\\.node$/gm)
    const stopped = await manager.stopProcess(id)
    console.log(JSON.stringify({ status, containment, command, stopped, warnings, addons: [...new Set(addons)] }))`)
  assert.deepEqual(seen, {
    status: 'running', containment: 'tree', command: 'sh', stopped: true, warnings: [],
    addons: [fs.realpathSync(path.join(packageIn(project), addon))]
  })
}

/** Throws if any of the quick rows leaves something behind. */
async function expectNoOrphans (project) {
  const list = [
    ...cells(named(rows, ['plain', 'grandchild with setsid', 'daemon']), named(ends, ['SIGKILL'])),
    ...cells(named(rows, ['daemon']), named(ends, ['stop']))
  ]
  made.place ??= prepare()
  const place = { ...made.place, library: packageIn(project) }
  const results = await inParallel(list, 4, cell => runCell(cell, { place, driver: 'ours', options: { manager: {} } }))
  for (const { row, end, stood, containment, survivors } of results) {
    assert.deepEqual({ stood, containment, survivors }, { stood: row.size, containment: 'tree', survivors: [] }, `${row.name}, ${end.name}`)
  }
}

/** What it says when there is nothing to load: the commands that it names, in their order. */
function commandsThatHelp (project) {
  const { code, message } = runIn(project, `
    import { createRequire } from 'node:module'
    try {
      createRequire(process.cwd() + '/')('${name}')
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }))
    }`)
  assert.equal(code, 'ERR_ADDON_NOT_BUILT')
  const [rebuild, approve] = message.match(/(?<=`npm )[^`]+/g)
  assert.equal(rebuild, `rebuild ${name}`)
  return { rebuild: rebuild.split(' '), approve: approve.split(' ') }
}

/* The tarball, and one of which the binaries were taken out. */
function packBoth () {
  made.tarball = path.join(scratch, pack('--pack-destination', scratch).filename)
  const source = path.join(scratch, 'source')
  fs.mkdirSync(source)
  execFileSync('tar', ['xzf', made.tarball, '-C', source, '--strip-components=1'])
  fs.rmSync(path.join(source, 'prebuilds'), { recursive: true })
  made.sourceTarball = path.join(source, packIn(source, '--ignore-scripts').filename)
}

/* npm 12 is the first that runs no install script unasked. */
function getNpm12 () {
  const directory = emptyProject()
  npm(directory, ['install', 'npm@12'])
  made.npm12 = path.join(directory, 'node_modules', 'npm', 'bin', 'npm-cli.js')
}

/* It is wanted by one module only, so npm does not bring it along. */
function expectNoPeer (project) {
  const seen = runIn(project, `
    import ProcessManager from '${name}'
    import { observe } from '${name}/opentelemetry'
    try {
      observe(new ProcessManager())
    } catch ({ code }) {
      console.log(JSON.stringify(code))
    }`)
  assert.equal(seen, 'ERR_OPENTELEMETRY_MISSING')
}

async function withoutScripts () {
  made.project = emptyProject()
  npm(made.project, ['install', made.tarball, '--ignore-scripts'])
  expectUse(made.project, prebuilt)
  expectNoPeer(made.project)
  await expectNoOrphans(made.project)
}

async function withNpm12 () {
  const project = emptyProject()
  npm(project, ['install', made.tarball], made.npm12)
  expectUse(project, prebuilt)
  await expectNoOrphans(project)
}

/* From the sources, as the error says; cli is another npm. */
async function fromSource (args, cli) {
  const project = emptyProject()
  npm(project, ['install', made.sourceTarball, ...args], cli)
  const { approve, rebuild } = commandsThatHelp(project)
  if (parseInt(npm(project, ['--version'], cli), 10) >= 12) npm(project, approve, cli)
  npm(project, rebuild, cli)
  expectUse(project, built)
  await expectNoOrphans(project)
  made.builtProject = project
}

/* As on systems where it cannot be linked without libc; the build has to say so. */
async function linkedOtherwise () {
  const directory = packageIn(made.builtProject)
  const quiet = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }
  for (const linkage of ['static', 'dynamic']) {
    // By npm, which knows where Node's headers are.
    const args = ['exec', '--', 'node-gyp', 'configure', `--directory=${directory}`, '--', `-Dkeeper_linkage=${linkage}`]
    const { stderr } = spawnSync('npm', args, { cwd: root, ...quiet })
    assert.match(stderr, new RegExp(`the keeper is linked ${linkage}`))
    execFileSync('make', ['-C', path.join(directory, 'build'), 'BUILDTYPE=Release', 'mcp-process-keeper'], quiet)
    const elf = execFileSync('readelf', ['-lW', path.join(directory, 'build', 'Release', 'mcp-process-keeper')], quiet)
    assert.equal(/\bINTERP\b/.test(elf), linkage === 'dynamic')
    expectUse(made.builtProject, built)
    await expectNoOrphans(made.builtProject)
  }
}

/* As an update does it under a running host. */
async function packageVanishes () {
  const cookie = randomUUID()
  const host = fork(path.join(__dirname, 'support', 'vanishing-host.js'), [packageIn(made.project)])
  try {
    const spawn = async () => {
      host.send({ PM_INSTALL_COOKIE: cookie })
      const [{ containment, error }] = await once(host, 'message')
      assert.deepEqual({ containment, error }, { containment: 'tree', error: null })
    }
    await spawn()
    fs.rmSync(packageIn(made.project), { recursive: true })
    await spawn()
    assert.equal(survivorsWith('PM_INSTALL_COOKIE', cookie).length, 2)
  } finally {
    host.kill('SIGKILL')
    await once(host, 'exit')
  }
  const deadline = Date.now() + 5000
  while (survivorsWith('PM_INSTALL_COOKIE', cookie).length > 0) assert.ok(Date.now() < deadline, 'it outlived its host')
}

const tests = [
  ['npm pack', packBoth],
  ['npm 12 itself', getNpm12],
  ['install --ignore-scripts', withoutScripts],
  ['the package is deleted under a running host', packageVanishes],
  ['install with npm 12', withNpm12],
  ['from source, --ignore-scripts: the error names the command that helps', () => fromSource(['--ignore-scripts'])],
  ['from source with npm 12: the error names the commands that help', () => fromSource([], made.npm12)],
  ['with the keeper linked statically, and dynamically', linkedOtherwise]
]

async function main () {
  process.exitCode = 1 // until the end is reached: Node ends with 0 when its loop runs dry
  let failed = 0
  for (const [title, test] of tests) {
    const start = Date.now()
    try {
      await test()
      console.log(`ok: ${title} (${Date.now() - start} ms)`)
    } catch (error) {
      failed++
      console.log(`FAILED: ${title}\n${error.stack}\n${error.stderr ?? ''}`)
    }
  }
  made.place?.remove()
  if (process.argv.includes('--keep')) console.log(`left: ${scratch}`)
  else fs.rmSync(scratch, { recursive: true, force: true })
  console.log(`${tests.length - failed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
}

main()

'use strict'

// The package is replaced, or taken away, under a running host, as an update does it.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { runHost } = require('../support/host')
const { inEffect } = require('../support/manager')

const root = path.join(__dirname, '..', '..')
let directory

/* A copy of the package as it is installed. */
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'replaced-test-'))
  fs.cpSync(path.join(root, 'lib'), path.join(directory, 'lib'), { recursive: true })
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(directory, 'node_modules'))
  const release = path.join(directory, 'build', 'Release')
  fs.mkdirSync(release, { recursive: true })
  for (const name of ['process_manager.node', 'mcp-process-keeper']) {
    fs.copyFileSync(path.join(root, 'build', 'Release', name), path.join(release, name))
  }
})

afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

/** Spawns before and after; then it is killed. */
const hostOfPackage = async ({ fixture, print, ready }, directory, how) => {
  const fs = require('node:fs')
  const keeper = `${directory}/build/Release/mcp-process-keeper`
  const changes = {
    replaced: () => {
      fs.writeFileSync(`${keeper}.new`, '#!/bin/sh\nexit 1\n', { mode: 0o755 })
      fs.renameSync(`${keeper}.new`, keeper)
    },
    'taken away': () => fs.rmSync(directory, { recursive: true })
  }
  process.on('warning', ({ code }) => print(code))
  const ProcessManager = require(`${directory}/lib/process-manager.js`)
  const manager = new ProcessManager({ stopTimeout: 50, hostExitTimeout: 50 })
  /* Where there are keepers, descendants in sessions of their own. */
  const args = [manager.backend === 'clone' ? '3' : '1']
  const start = async () => {
    const id = manager.spawnProcess({ command: fixture('note-signals'), args })
    await ready(manager, id)
    return id
  }
  const first = await start()
  changes[how]()
  const second = await start()
  print([await manager.restartProcess(first), await manager.stopProcess(second)])
  await start()
  print(manager.listProcesses().map(({ containment }) => containment))
  if (manager.backend === 'clone') process.kill(process.pid, 'SIGKILL')
  await manager.stopAll(0)
}

test.each([['replaced'], ['taken away']])('%s: the host keeps the keeper that it had', async how => {
  const host = await runHost(hostOfPackage, { args: [directory, how] })
  expect(host.stderr).toBe('')
  expect(host.printed).toEqual([[true, true], Array(3).fill(inEffect('tree'))])
  await host.survivors()
})

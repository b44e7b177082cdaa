'use strict'

// A host that spawns when it is told, from the package in argv[2].

const ProcessManager = require(process.argv[2])

const manager = new ProcessManager()

process.on('message', env => {
  const id = manager.spawnProcess({ command: 'sleep', args: ['300'], env })
  manager.once('error', ({ error }) => process.send({ error: error.message }))
  manager.once('spawn', () => process.send(manager.getProcessStatus(id)))
})
process.on('disconnect', () => process.exit())

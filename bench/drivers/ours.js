'use strict'

const ProcessManager = require('../..')

const noDelay = { autoRestart: true, maxRestarts: Infinity, restartDelay: 0, restartJitter: 0 }

module.exports = async (options) => {
  const manager = new ProcessManager(options)
  const waiting = new Map()
  manager.on('exit', ({ processId, code }) => waiting.get(processId)(code, processId))
  /* A child that cannot be started would be waited for in vain. */
  manager.on('error', ({ error }) => {
    throw error
  })

  return {
    start(command, args, onExit) {
      const id = manager.spawnProcess({ command, args })
      waiting.set(id, ended)
      return id

      function ended() {
        waiting.delete(id)
        onExit()
      }
    },
    /* From the list: getProcessStatus would take a sample of metrics as well. */
    pids(ids) {
      const pids = new Map(manager.listProcesses().map(({ id, pid }) => [id, pid]))
      return ids.map((id) => pids.get(id))
    },
    supervise(command, args, onDone) {
      const id = manager.spawnProcess({ command, args, ...noDelay })
      waiting.set(id, (code) => {
        if (code === 0) onDone()
      })
    },
    close: () => manager.cleanup()
  }
}

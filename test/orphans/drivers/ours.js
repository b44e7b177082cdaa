'use strict'

/** options.library: where the package is; options.manager: what its constructor gets. */
module.exports = async ({ library, manager: options }) => {
  const ProcessManager = require(library)
  const manager = new ProcessManager({ stopTimeout: 2000, ...options })
  let id
  return {
    start (config, onOutput, onError) {
      manager.on('stdout', ({ data }) => onOutput(data))
      manager.on('error', ({ error }) => onError(error))
      id = manager.spawnProcess(config)
    },
    stop: () => manager.stopProcess(id),
    containment: () => manager.getProcessStatus(id).containment
  }
}

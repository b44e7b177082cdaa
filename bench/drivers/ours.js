'use strict'

const { once } = require('node:events')
const ProcessManager = require('../..')
const ProcessMetrics = require('../../lib/process-metrics')
const { KEPT } = require('../lib/sinks')

const noDelay = { autoRestart: true, maxRestarts: Infinity, restartDelay: 0, restartJitter: 0 }

/* Ways to look at stdout; each answers what it has seen when asked. */
const outputs = {
  __proto__: null,
  ring: (manager) => (id) => ({ kept: manager.getProcessLogs(id, KEPT).stdout }),
  stdout(manager) {
    let characters = 0
    manager.on('stdout', ({ data }) => {
      characters += data.length
    })
    return () => ({ characters })
  },
  line(manager) {
    let lines = 0
    let characters = 0
    manager.on('line', ({ line }) => {
      lines++
      characters += line.length
    })
    return () => ({ lines, characters })
  }
}

module.exports = async ({ output = 'ring', ...options } = {}) => {
  const manager = new ProcessManager(options)
  const metrics = new ProcessMetrics()
  const waiting = new Map()
  const pids = new Map()
  manager.on('spawn', ({ processId, pid }) => pids.set(processId, pid))
  manager.on('exit', ({ processId, code }) => waiting.get(processId)?.(code, processId))
  /* A child that cannot be started would be waited for in vain. */
  manager.on('error', ({ error }) => {
    throw error
  })

  function start(command, args, onExit) {
    const id = manager.spawnProcess({ command, args })
    waiting.set(id, ended)
    return id

    function ended() {
      waiting.delete(id)
      onExit()
    }
  }

  return {
    start,
    /* As the events told: a status would take a sample of metrics as well. */
    pids: (ids) => ids.map((id) => pids.get(id)),
    supervise(command, args, onDone) {
      const id = manager.spawnProcess({ command, args, ...noDelay })
      waiting.set(id, (code) => {
        if (code === 0) onDone()
      })
    },
    /* The exit event comes after the last output. */
    consume: start,
    seen: outputs[output](manager),
    async keep(command, args) {
      const id = manager.spawnProcess({ command, args })
      await once(manager, 'exit')
      return (count) => manager.getProcessLogs(id, count)
    },
    /* Also while nobody listens. */
    samplesByItself: true,
    /* The next round of the monitor, of which a listener looks at all. */
    async sample() {
      const [{ processes }] = await once(manager, 'metrics')
      return Object.keys(processes).length
    },
    /* Each round is told of to a listener that looks at one; gives what ends that. */
    watch(id) {
      const look = (sample) => {
        if (!(sample.get(id).memory > 0)) throw new Error(`${id} uses nothing`)
      }
      manager.on('metrics', look)
      return () => manager.off('metrics', look)
    },
    /* All that live in the trees of all. */
    async processes() {
      const [{ processes }] = await once(manager, 'metrics')
      return Object.values(processes).reduce((sum, tree) => sum + tree.processes, 0)
    },
    status: (id) => manager.getProcessStatus(id),
    /* By an object that knows nothing of it yet, and so has to look for all. */
    tree: (pid) => new ProcessMetrics().getMetrics(pid),
    again: (pid) => metrics.getMetrics(pid),
    async descendants(pid) {
      const { processes } = await new ProcessMetrics().getProcessMetrics(pid)
      return processes - 1
    },
    async connect(command, args, onMessage) {
      manager.on('message', ({ message }) => onMessage(message))
      const id = manager.spawnProcess({ command, args })
      return {
        send: (message) => manager.sendMessage(id, message),
        async close() {
          manager.closeStdin(id)
          await once(manager, 'exit')
        }
      }
    },
    close: () => manager.cleanup()
  }
}

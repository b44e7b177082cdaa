'use strict'

const { spawn } = require('node:child_process')

module.exports = async () => ({
  start(command, args, onExit) {
    return spawn(command, args).on('exit', onExit)
  },
  pids: (tokens) => tokens.map(({ pid }) => pid),
  supervise(command, args, onDone) {
    const run = () => spawn(command, args).on('exit', (code) => (code === 0 ? onDone() : run()))
    run()
  }
})

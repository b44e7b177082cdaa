'use strict'

const { spawn } = require('node:child_process')

/* child_process has no stop: this is what its users write. */
module.exports = async () => {
  let child
  return {
    start ({ command, args, env }, onOutput, onError) {
      child = spawn(command, args, { env: { ...process.env, ...env } })
      child.stdout.setEncoding('utf8').on('data', onOutput)
      child.on('error', onError)
    },
    stop () {
      if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true)
      const timer = setTimeout(() => child.kill('SIGKILL'), 2000)
      child.kill()
      return new Promise(resolve => child.once('exit', () => {
        clearTimeout(timer)
        resolve(true)
      }))
    }
  }
}

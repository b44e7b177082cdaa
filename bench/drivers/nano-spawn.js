'use strict'

module.exports = async () => {
  const { default: spawn } = await import('nano-spawn')
  return {
    start(command, args, onExit) {
      const child = spawn(command, args)
      child.then(onExit)
      return child
    },
    async started(child) {
      child.pid = (await child.nodeChildProcess).pid
    },
    pids: (tokens) => tokens.map(({ pid }) => pid)
  }
}

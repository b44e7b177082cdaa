'use strict'

module.exports = async () => {
  const { execa } = await import('execa')
  return {
    start(command, args, onExit) {
      const child = execa(command, args)
      child.then(onExit)
      return child
    },
    pids: (tokens) => tokens.map(({ pid }) => pid)
  }
}

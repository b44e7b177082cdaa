'use strict'

module.exports = async () => {
  const { x } = await import('tinyexec')
  return {
    start(command, args, onExit) {
      const child = x(command, args)
      child.then(onExit)
      return child
    },
    pids: (tokens) => tokens.map(({ pid }) => pid)
  }
}

'use strict'

/* Pids only: what they use, others have to be asked for. */
module.exports = async (options) => {
  const { pidtree } = await import('pidtree')
  return {
    ...(await require('./child_process')(options)),
    tree: (pid) => pidtree(pid),
    again: (pid) => pidtree(pid),
    descendants: async (pid) => (await pidtree(pid)).length
  }
}

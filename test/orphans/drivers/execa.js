'use strict'

const path = require('node:path')

const bench = path.join(__dirname, '..', '..', '..', 'bench')

module.exports = async () => {
  const { execa } = await import(require.resolve('execa', { paths: [bench] }))
  let child
  return {
    start ({ command, args, env }, onOutput, onError) {
      child = execa(command, args, { env, reject: false, forceKillAfterDelay: 2000 })
      child.stdout.setEncoding('utf8').on('data', onOutput)
      child.on('error', onError)
    },
    async stop () {
      child.kill()
      await child
      return true
    }
  }
}

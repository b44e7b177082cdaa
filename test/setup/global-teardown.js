'use strict'

const { survivorsWith } = require('./survivors')

module.exports = function globalTeardown () {
  const left = survivorsWith('PM_TEST_COOKIE', process.env.PM_TEST_RUN)
  if (left.length > 0) throw new Error(`Processes that the tests left behind:\n${left.join('\n')}`)
}

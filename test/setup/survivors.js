'use strict'

// Finds living processes by a variable in the environment they started with.

const fs = require('node:fs')

function isZombie (pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
}

function describe (pid) {
  return `${pid} ${fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()}`
}

/** Lists "pid command line" of each living process started with name=value. */
function survivorsWith (name, value) {
  const wanted = `${name}=${value}`
  const found = []
  // The newest first: who forks and exits would be gone before its turn came.
  for (const pid of fs.readdirSync('/proc').filter(entry => /^\d+$/.test(entry)).reverse()) {
    try {
      const environ = fs.readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
      if (environ.includes(wanted) && !isZombie(pid)) found.push(describe(pid))
    } catch {
      // It ended while it was being looked at.
    }
  }
  return found
}

module.exports = { survivorsWith }

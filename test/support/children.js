'use strict'

// The child programs, and what the system knows of processes.

const fs = require('node:fs')
const path = require('node:path')

/** The path of a program that test/setup/global-setup.js compiled. */
function fixture (name) {
  return path.join(__dirname, '..', '..', 'build', 'fixtures', name)
}

/** How many descriptors this process has open. */
function countDescriptors () {
  return fs.readdirSync('/proc/self/fd').filter(fd => !isOfTestRunner(fd)).length
}

/* It reads sources, and what it has made of them, while tests run. */
function isOfTestRunner (fd) {
  try {
    return /\.[cm]?[jt]s(on)?$|\.map$|jest/.test(fs.readlinkSync(`/proc/self/fd/${fd}`))
  } catch {
    return true
  }
}

/** [state, ppid, pgrp] of a process, undefined if there is none. */
function look (pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, ppid, pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state, ppid: Number(ppid), pgrp: Number(pgrp) }
  } catch {
    return undefined
  }
}

/** Whether a process runs. One that ended and was not reaped does not. */
function isAlive (pid) {
  const found = look(pid)
  return found !== undefined && !/[ZX]/.test(found.state)
}

/** The pids of this process's children that ended and were not reaped. */
function zombies () {
  return fs.readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(Number)
    .filter(pid => {
      const found = look(pid)
      return found !== undefined && found.ppid === process.pid && found.state === 'Z'
    })
}

/**
 * Looks again and again until condition() gives something true, and returns
 * that. For what has no event: that a foreign process is gone, a file is there.
 */
async function until (condition, what, limit = 15000) {
  const end = Date.now() + limit
  for (;;) {
    const value = condition()
    if (value) return value
    if (Date.now() > end) throw new Error(`Waited ${limit} ms in vain until ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

module.exports = { fixture, countDescriptors, look, isAlive, zombies, until }

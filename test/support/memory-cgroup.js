'use strict'

// Processes that may use only so much memory together: the kernel's out-of-memory killer ends the fattest of them.

const fs = require('node:fs')
const path = require('node:path')
const { until } = require('./children')

/* cgroups(7): version 1 has a hierarchy for each controller, version 2 one for all.
 * Without the file of swap there is none that is accounted for. */
const versions = [
  {
    root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', events: 'memory.oom_control',
    swap: 'memory.memsw.limit_in_bytes', mostSwap: bytes => bytes
  },
  { root: '/sys/fs/cgroup', limit: 'memory.max', events: 'memory.events', swap: 'memory.swap.max', mostSwap: () => 0 }
]

class MemoryCgroup {
  #version

  /** Makes one of these bytes. Throws where the system has none, or none for us. */
  constructor (bytes) {
    this.#version = versions.find(({ root }) => fs.existsSync(path.join(root, 'cgroup.procs')))
    if (!this.#version) throw new Error('no cgroup with a memory controller is mounted')
    const { root, limit, swap, mostSwap } = this.#version
    this.directory = fs.mkdtempSync(path.join(root, 'pm-test-'))
    try {
      fs.writeFileSync(this.#file(limit), String(bytes))
      if (fs.existsSync(this.#file(swap))) fs.writeFileSync(this.#file(swap), String(mostSwap(bytes)))
    } catch (error) {
      fs.rmdirSync(this.directory)
      throw error
    }
  }

  #file (name) {
    return path.join(this.directory, name)
  }

  /** Where a process writes its pid, or 0, to get in. */
  get procs () {
    return this.#file('cgroup.procs')
  }

  /** How many processes the out-of-memory killer has ended here. */
  get kills () {
    return Number(/^oom_kill (\d+)$/m.exec(fs.readFileSync(this.#file(this.#version.events), 'latin1'))[1])
  }

  /** Ends what is still in there, and takes it away. */
  async remove () {
    await until(() => {
      for (const pid of fs.readFileSync(this.procs, 'latin1').split('\n').filter(Boolean)) this.#kill(Number(pid))
      try {
        fs.rmdirSync(this.directory)
        return true
      } catch (error) {
        if (error.code !== 'EBUSY') throw error
        return false
      }
    }, 'the cgroup was empty')
  }

  #kill (pid) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
}

/** Why there can be none here, in words; undefined if there can. */
function whyNoMemoryCgroup () {
  try {
    fs.rmdirSync(new MemoryCgroup(1 << 20).directory)
    return undefined
  } catch (error) {
    return error.message
  }
}

module.exports = { MemoryCgroup, whyNoMemoryCgroup }

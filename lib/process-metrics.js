'use strict'

const native = require('./native')
const { readPss } = require('./arguments')
const { outOfRange, wrongType } = require('./errors')
const { readMeasurement } = require('./figures')

/** The largest pid that a system's pid_t can hold. */
const MAX_PID = 0x7fffffff

function readPid(pid) {
  if (typeof pid !== 'number') throw wrongType('pid', 'a positive integer', pid)
  if (!Number.isInteger(pid) || pid < 1 || pid > MAX_PID) throw outOfRange('pid', 'a positive integer', pid)
  return pid
}

/** Reads what any process uses that the caller may see, with all that it has started. */
class ProcessMetrics {
  #sampler = new native.Sampler()

  /**
   * The first look at a process gives its CPU since it was started, a later one
   * that since the look before. A process that is not there, or cannot be read,
   * reads as zeros.
   *
   * @param {number} pid
   * @returns {Promise<{ cpu: number, memory: number }>} percent of one core, MB of 2^20 bytes
   */
  async getMetrics(pid) {
    const [cpu, memory] = await this.#sampler.read(readPid(pid))
    return { cpu, memory }
  }

  /**
   * The same with all that `getProcessMetrics` of a manager tells.
   *
   * @param {number} pid
   * @param {{ pss?: boolean }} [options]
   * @returns {Promise<object | undefined>} undefined if it is not there, or cannot be read
   */
  async getProcessMetrics(pid, options) {
    return readMeasurement(await this.#sampler.measure(readPid(pid), readPss(options)))
  }
}

module.exports = ProcessMetrics
module.exports.ProcessMetrics = ProcessMetrics
module.exports.default = ProcessMetrics

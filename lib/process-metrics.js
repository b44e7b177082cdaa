'use strict'

const native = require('./native')
const { outOfRange, wrongType } = require('./errors')

/** The largest pid that a system's pid_t can hold. */
const MAX_PID = 0x7fffffff

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
    if (typeof pid !== 'number') throw wrongType('pid', 'a positive integer', pid)
    if (!Number.isInteger(pid) || pid < 1 || pid > MAX_PID) throw outOfRange('pid', 'a positive integer', pid)
    const [cpu, memory] = await this.#sampler.read(pid)
    return { cpu, memory }
  }
}

module.exports = ProcessMetrics
module.exports.ProcessMetrics = ProcessMetrics
module.exports.default = ProcessMetrics

import ProcessManager = require('./process-manager')

/** Reads what any process uses that the caller may see, with all that it has started. */
declare class ProcessMetrics {
  /**
   * The first look at a process gives its CPU since it was started, a later one
   * that since the look before. A process that is not there, or cannot be read,
   * reads as zeros.
   *
   * @param pid a positive integer, else it rejects with a TypeError or RangeError
   */
  getMetrics(pid: number): Promise<ProcessMetrics.Metrics>

  /**
   * The same with all that `getProcessMetrics` of a manager tells.
   *
   * @returns undefined if the process is not there, or cannot be read
   */
  getProcessMetrics(pid: number, options?: ProcessManager.MetricsOptions): Promise<ProcessManager.ProcessMetrics | undefined>
}

import Self = ProcessMetrics

declare namespace ProcessMetrics {
  export { Self as ProcessMetrics, Self as default }

  export interface Metrics {
    /** Percent of one core; may exceed 100. */
    cpu: number
    /** Resident MB (2^20 bytes). */
    memory: number
  }
}

export = ProcessMetrics

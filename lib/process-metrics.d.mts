import ProcessMetrics from './process-metrics.js'

export { ProcessMetrics, ProcessMetrics as default }

export type Metrics = ProcessMetrics.Metrics

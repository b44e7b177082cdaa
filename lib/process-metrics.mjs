import { createRequire } from 'node:module';

/* Not by an import, as in process-manager.mjs. */
const ProcessMetrics = createRequire(import.meta.url)('./process-metrics.js');

export { ProcessMetrics, ProcessMetrics as default };

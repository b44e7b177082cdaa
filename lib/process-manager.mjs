import { createRequire } from 'node:module';

/* Not by an import: Node 20 reports what such a module throws to who imports it,
 * and once more as an exception that nobody caught. */
const ProcessManager = createRequire(import.meta.url)('./process-manager.js');

export { ProcessManager, ProcessManager as default };

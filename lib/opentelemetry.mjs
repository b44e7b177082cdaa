import { createRequire } from 'node:module';

/* Not by an import, as in process-manager.mjs. */
export const { observe } = createRequire(import.meta.url)('./opentelemetry.js');

import ProcessManager from './process-manager.js';

export { ProcessManager, ProcessManager as default };

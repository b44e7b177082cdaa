import { Attributes, Meter } from '@opentelemetry/api'
import ProcessManager = require('./process-manager')

export interface ObserveOptions {
  /** Whose instruments they are. Default: the meter `mcp-process-manager` of the global provider. */
  meter?: Meter
  /** Put on every point: what tells this manager from another one of the same meter. Default none. */
  attributes?: Attributes
}

export interface Observation {
  /** Nothing is observed from now on. */
  unregister(): void

  /** Is `unregister()`, for `using`. */
  [Symbol.dispose](): void
}

/**
 * Lets a meter observe all processes of a manager at each collection, from now on. Names, units and attributes are those
 * of the semantic conventions for processes, as far as they have any.
 *
 * @throws {Error} `ERR_OPENTELEMETRY_MISSING`: the package `@opentelemetry/api` is not installed
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`
 */
export function observe(manager: ProcessManager, options?: ObserveOptions): Observation

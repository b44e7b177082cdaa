export { observe } from './opentelemetry.js'
export type { Observation, ObserveOptions } from './opentelemetry.js'

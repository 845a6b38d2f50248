/**
 * The local stack in one call.
 * @module
 */
export { LocalError } from './errors.ts'
export type { Local, LocalOptions, LocalPart, Progress } from './options.ts'
export { DEFAULT_PORTS, type LocalPorts } from './ports.ts'
export { isForPeople, startLocal } from './start.ts'

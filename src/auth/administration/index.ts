/**
 * What administrators, operators and crons do to accounts. Apart from `breakwater/auth`, which every request carries.
 * @module
 */
export type { PruneOptions, RecordedEvent } from './accounts.ts'
export { type Administration, administration } from './administration.ts'

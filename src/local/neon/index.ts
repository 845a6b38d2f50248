/**
 * Neon's protocols in front of any Postgres server.
 * @module
 */
export { createNeonApp, type NeonOptions } from './app.ts'
export type { Limits } from './sql-endpoint.ts'

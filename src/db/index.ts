/**
 * Postgres on Neon through Drizzle: statements and batches over HTTP, transactions over a WebSocket, typed errors
 * without personal data, a span for every round trip.
 * @module
 */
export { createDatabase, Database, type DatabaseOptions } from './database.ts'
export { isPostgresError, PostgresError, type PostgresErrorDetails, type PostgresFailure } from './errors.ts'
export { fingerprint } from './fingerprint.ts'
export type { BatchOptions, Isolation } from './http.ts'
export type { AnyDatabase, Queryable } from './queryable.ts'
export { breakwater } from './schema.ts'
export { Transaction, type TransactionLimits, type TransactionOptions } from './transaction.ts'

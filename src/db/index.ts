/**
 * Postgres on Neon through Drizzle: statements and batches over HTTP, transactions over a WebSocket, typed errors
 * without personal data, a span for every round trip.
 * @module
 */
export {
  type CriticalQuery,
  type CriticalSource,
  critical,
  criticalQueries,
  type PickValue,
} from './critical.ts'
export {
  createDatabase,
  Database,
  type DatabaseOptions,
  type Driver,
  type PgClientClass,
} from './database.ts'
export { isPostgresError, PostgresError, type PostgresErrorDetails, type PostgresFailure } from './errors.ts'
export { fingerprint } from './fingerprint.ts'
export type { BatchOptions, Isolation } from './http.ts'
export { type KeysetColumn, type KeysetOptions, keyset, type Page, type PageRequest } from './keyset.ts'
export type { AnyDatabase, Queryable } from './queryable.ts'
export { hasWritten, readFromPrimary } from './replica.ts'
export { breakwater } from './schema.ts'
export { Transaction, type TransactionLimits, type TransactionOptions } from './transaction.ts'

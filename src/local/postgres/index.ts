/**
 * A real PostgreSQL for development and tests, and the migrations it starts from.
 * @module
 */
export { PostgresStartError } from './errors.ts'
export { type MigrateOptions, MigrationError, type MigrationOutcome, migrate } from './migrate.ts'
export { type LocalPostgres, type PostgresOptions, startPostgres } from './start.ts'

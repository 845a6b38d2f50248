/**
 * The health of a Postgres database: checks of a Drizzle schema without a database, checks of a live one, drift between
 * the two, migrations that lock, slow and repeated statements, and their history.
 * @module
 */
export { findDrift } from './drift.ts'
export type { CheckTitle, Finding, Level } from './finding.ts'
export { modelOfCatalog, type RunSql } from './from-catalog.ts'
export { modelOf } from './from-drizzle.ts'
export { type DrizzleSnapshot, modelOfSnapshot } from './from-snapshot.ts'
export { createQueryHistory, type QueryHistory, type QueryHistoryOptions } from './history.ts'
export type { LiveCheck } from './live/check.ts'
export { checkDatabase, checkUrls, liveChecks } from './live/index.ts'
export { type LintFinding, lintMigrations, lintRules, type MigrationFile } from './migrations/lint.ts'
export type {
  ColumnModel,
  ForeignKeyModel,
  IndexModel,
  KeyModel,
  SchemaModel,
  TableModel,
} from './model.ts'
export {
  type QueryMonitorOptions,
  type QueryWatch,
  queryMonitor,
  type StatementTotals,
  watchQueries,
} from './monitor.ts'
export { checkSchema, schemaCheckTitles } from './schema-checks/index.ts'

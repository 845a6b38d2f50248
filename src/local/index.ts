/**
 * The local stack: a real Postgres, and stand-ins for Neon, Upstash, Sentry and mail providers, each of which can
 * be told to be slow, to fail, or to hang. For development, tests and benchmarks, on Node.
 *
 * @example
 * ```ts
 * const local = await startLocal({ state: await mkdtemp(join(tmpdir(), 'stack-')), worker: false })
 * await fetch(`${local.neon}/__breakwater/faults`, { method: 'PUT', body: '{"status": 503, "times": 2}' })
 * await local.stop()
 * ```
 * @module
 */
export {
  DEFAULT_PORTS,
  type Local,
  LocalError,
  type LocalOptions,
  type LocalPart,
  type LocalPorts,
  type Progress,
  startLocal,
} from './dev/index.ts'
export { type Fault, FaultBox, parseFaults, type StandingFault, type Strike } from './faults.ts'
export { createMailboxApp, type MailboxAppOptions, type StoredMail } from './mailbox/index.ts'
export { createNeonApp, type Limits, type NeonOptions } from './neon/index.ts'
export {
  type LocalPostgres,
  type MigrateOptions,
  MigrationError,
  type MigrationOutcome,
  migrate,
  type PostgresOptions,
  PostgresStartError,
  startPostgres,
} from './postgres/index.ts'
export { type CapturedRecord, createSentryApp, type SentryAppOptions } from './sentry/index.ts'
export { PortTaken, type StandIn, type StandInApp, serveStandIn } from './server.ts'
export type { Stats } from './stats.ts'
export { createUpstashApp, type UpstashAppOptions } from './upstash/index.ts'

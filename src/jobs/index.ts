/**
 * Jobs: recorded in Postgres with the caller's own writes, woken by a queue, with an effect in the database that happens
 * exactly once.
 * @module
 */
export type { Outcome } from './consume.ts'
export type { JobsDatabase, JobsTransaction } from './database.ts'
export { JobTimeout, LeaseLost, PermanentError, RetryLater } from './errors.ts'
export {
  type AnyJob,
  type JobContext,
  type JobDefinition,
  type JobOptions,
  type JobRef,
  job,
  type TransactionalJobContext,
} from './job.ts'
export { createJobs, type Jobs, type JobsOptions, type SweepReport } from './jobs.ts'
export type { JobFilter, JobListOptions, JobSummary } from './manage.ts'
export type { JobMessage, JobQueue, QueueBatch, QueueMessage } from './message.ts'
export type { JobStatement, PreparedJob } from './produce.ts'
export type { Retry, RetryPolicy } from './retry.ts'
export { type JobRow, type JobState, jobs } from './schema.ts'

/**
 * Jobs: recorded in Postgres with the caller's own writes, woken by a queue, with an effect in the database that happens
 * exactly once.
 * @module
 */
export type { Outcome } from './consume.ts'
export type { JobContext, JobLog, Step, StepContext, TransactionalJobContext } from './context.ts'
export type { JobsDatabase, JobsTransaction } from './database.ts'
export { JobCancelled, JobTimeout, LeaseLost, PermanentError, RetryLater } from './errors.ts'
export { type BatchMember, member } from './fan-out.ts'
export type { JobStatement } from './insert.ts'
export { type AnyJob, type JobDefinition, type JobOptions, type JobRef, job } from './job.ts'
export { createJobs } from './jobs.ts'
export type { LimitOptions } from './limit.ts'
export type { JobFilter, JobListOptions, JobSummary } from './manage.ts'
export type { JobMessage, JobQueue, QueueBatch, QueueMessage } from './message.ts'
export type { PayloadBucket, PayloadOptions } from './payload.ts'
export type { JobEnqueueOptions, PreparedJob } from './produce.ts'
export { type RelayOptions, relayJobs } from './relay.ts'
export type { WriteLog } from './report.ts'
export type { Retry, RetryPolicy } from './retry.ts'
export { type Schedule, type ScheduleOptions, schedule } from './schedule.ts'
export { type JobRow, type JobState, jobLanes, jobSchedules, jobs } from './schema.ts'
export type { Jobs, JobsOptions, SweepReport } from './service.ts'
export type { WorkflowStepOptions, WorkflowSteps } from './workflow.ts'
export type { WorkflowBinding, WorkflowParams } from './workflow-start.ts'

import type { Duration, Enqueue, Reporter } from '../core/index.ts'
import type { Outcome } from './consume.ts'
import type { JobsDatabase, JobsTransaction } from './database.ts'
import type { BatchMember } from './fan-out.ts'
import type { AnyJob, JobRef } from './job.ts'
import type { JobFilter, JobListOptions, JobSummary } from './manage.ts'
import type { JobQueue, QueueBatch } from './message.ts'
import type { PayloadOptions } from './payload.ts'
import type { JobEnqueueOptions, PreparedJob } from './produce.ts'
import type { WriteLog } from './report.ts'
import type { Schedule } from './schedule.ts'
import type { JobState } from './schema.ts'
import type { WorkflowSteps } from './workflow.ts'
import type { WorkflowBinding, WorkflowParams } from './workflow-start.ts'

/** Options of {@link createJobs}. */
export interface JobsOptions {
  /** Where jobs live: `createDatabase` of `breakwater/db`, or Drizzle over any Postgres driver with transactions. */
  readonly db: JobsDatabase
  /** The producer binding of the queue that wakes the consumer. Absent, as in a tool: the relay of others sends. */
  readonly queue?: JobQueue
  /** Every job that this worker makes or runs. */
  readonly jobs: readonly AnyJob[]
  /** What is made again and again. */
  readonly schedules?: readonly Schedule[]
  /** Told of failed attempts (warning) and dead jobs (error). Default: whoever observes the unit of work. */
  readonly reporter?: Reporter
  /** Jobs of one batch that run at once. Default 4: a transaction takes a connection, and a request has six. */
  readonly concurrency?: number
  /** How long finished jobs are kept, and with them their keys. Default `done` 7 days, `dead` 30 days. */
  readonly keep?: { readonly done?: Duration; readonly dead?: Duration }
  /** Where inputs go that are too large for a row. Default: they are refused. */
  readonly payloads?: PayloadOptions
  /** The Workflows binding for jobs with `runsOn: 'workflow'`. */
  readonly workflow?: WorkflowBinding
  /** Takes the lines of handlers' `log`. Default: JSON on the console, redacted. */
  readonly log?: WriteLog
  /** For tests: where jitter comes from. Default `Math.random`. */
  readonly random?: () => number
}

/** What a cron tick did. */
export interface SweepReport {
  /** Leases that ran out and were put back. */
  readonly requeued: number
  /** Jobs that crashed their worker in every attempt and were given up. */
  readonly crashed: number
  /** Finished jobs that were deleted. */
  readonly pruned: number
}

/** The service that {@link createJobs} makes. */
export interface Jobs {
  /**
   * Makes a job: one round trip, then the message behind the reply. With `tx`, the job exists exactly when that
   * transaction commits, and its message is sent then: at once where the transaction tells of its commit
   * (`breakwater/db`, {@link Jobs.transaction}), else by the relay within two minutes.
   * Resolves with the job's id: the earlier one's when its key is taken.
   * @throws BreakwaterError `validation-failed` or `payload-too-large` (status 500: the caller's fault, not a user's).
   */
  enqueue<In>(
    job: JobRef<In>,
    input: NoInfer<In>,
    options?: JobEnqueueOptions & { tx?: JobsTransaction },
  ): Promise<string>
  /** Makes many jobs of one kind, a thousand a statement, all or none. Resolves with their ids, in order. */
  enqueueMany<In>(
    job: JobRef<In>,
    inputs: readonly NoInfer<In>[],
    options?: Pick<JobEnqueueOptions, 'delay' | 'priority'> & { tx?: JobsTransaction },
  ): Promise<string[]>
  /**
   * Makes a batch, all or none: its members run in any order; when the last of them has ended, however it ended,
   * `after` starts. Resolves with the id of `after`, which is also the batch's: `list({ batch })`, `cancel({ batch })`.
   * Members and `after` are made by `member(job, input)`.
   */
  batch(
    members: readonly BatchMember<never>[],
    options: { readonly after: BatchMember<never>; readonly tx?: JobsTransaction },
  ): Promise<string>
  /** Prepares a job for the caller's own `db.batch([...])`. */
  prepare<In>(
    job: JobRef<In>,
    input: NoInfer<In>,
    options?: Omit<JobEnqueueOptions, 'tx'>,
  ): Promise<PreparedJob>
  /** Runs a transaction; jobs enqueued with its `enqueue` exist when it commits, and are sent at once then. */
  transaction<T>(
    fn: (
      tx: JobsTransaction,
      enqueue: <In>(
        job: JobRef<In>,
        input: NoInfer<In>,
        options?: Omit<JobEnqueueOptions, 'tx'>,
      ) => Promise<string>,
    ) => Promise<T>,
  ): Promise<T>
  /** Core's port: by name. */
  readonly byName: Enqueue
  /** The body of the consumer's `queue()`. Never throws. Returns how each message ended. */
  consume(batch: QueueBatch): Promise<Outcome[]>
  /** The body of the dead letter queue's consumer: what crashed its worker until the queue gave up is marked dead. */
  consumeDead(batch: QueueBatch): Promise<void>
  /** The body of a `WorkflowEntrypoint`'s `run(event, step)`, for jobs with `runsOn: 'workflow'`. */
  runWorkflow(params: WorkflowParams, step: WorkflowSteps): Promise<Outcome>
  /** All that cron is for, every minute: {@link Jobs.sweep}, {@link Jobs.tick}, {@link Jobs.relay}. Three round trips when there is nothing to do. */
  cron(): Promise<SweepReport & { readonly made: number; readonly sent: number }>
  /** Sends what was not sent, or not heard of since. At most `limit`, 2,000 by default. Returns how many. */
  relay(options?: { readonly limit?: number }): Promise<number>
  /** Puts back what crashed, gives up what keeps crashing, deletes what is old. One round trip. */
  sweep(): Promise<SweepReport>
  /** Makes the jobs of schedules that are due. Returns how many. */
  tick(): Promise<number>
  /** One job, or undefined: how far it is. */
  status(id: string): Promise<JobSummary | undefined>
  /** Jobs, newest first, without their inputs. */
  list(options?: JobListOptions): Promise<JobSummary[]>
  /** How many jobs are in each state, by type. */
  counts(): Promise<{ type: string; state: JobState; count: number }[]>
  /** Makes dead, discarded or cancelled jobs new again. Returns their ids. */
  replay(filter: JobFilter): Promise<string[]>
  /** Gives up dead jobs for good. Returns how many. */
  discard(filter: JobFilter): Promise<number>
  /**
   * Cancels jobs. A running one is cancelled at once: its transaction cannot commit any more, and its signal is
   * aborted within some seconds. Returns how many.
   */
  cancel(filter: JobFilter): Promise<number>
  /** Runs one job now, if it is ready: for tests and tools. */
  run(id: string): Promise<Outcome>
}

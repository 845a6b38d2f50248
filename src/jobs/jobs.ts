import {
  type Duration,
  type Enqueue,
  type EnqueueOptions,
  milliseconds,
  type Reporter,
} from '../core/index.ts'
import { handleMessage, type Outcome, runJob } from './consume.ts'
import type { JobsDatabase, JobsTransaction } from './database.ts'
import type { AnyJob, JobRef } from './job.ts'
import {
  countJobs,
  endJobs,
  type JobFilter,
  type JobListOptions,
  type JobSummary,
  listJobs,
  pruneJobs,
  replayJobs,
} from './manage.ts'
import { delaySeconds, type JobQueue, messageFor, type QueueBatch, readMessage } from './message.ts'
import { insertJob, newJob, type PreparedJob, sendLater } from './produce.ts'
import type { JobState } from './schema.ts'
import { buryCrashed, insertStatement, requeueExpired, takeDue } from './store.ts'

/** Options of {@link createJobs}. */
export interface JobsOptions {
  /** Where jobs live: `createDatabase` of `breakwater/db`, or Drizzle over any Postgres driver with transactions. */
  readonly db: JobsDatabase
  /** The producer binding of the queue that wakes the consumer. */
  readonly queue: JobQueue
  /** Every job that this worker makes or runs. */
  readonly jobs: readonly AnyJob[]
  /** Told of failed attempts (warning) and dead jobs (error). Default: whoever observes the unit of work. */
  readonly reporter?: Reporter
  /** Jobs of one batch that run at once. Default 4: a transaction takes a connection, and a request has six. */
  readonly concurrency?: number
  /** How long finished jobs are kept, and with them their keys. Default `done` 7 days, `dead` 30 days. */
  readonly keep?: { readonly done?: Duration; readonly dead?: Duration }
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
    options?: EnqueueOptions & { tx?: JobsTransaction },
  ): Promise<string>
  /** Prepares a job for the caller's own `db.batch([...])`. */
  prepare<In>(job: JobRef<In>, input: NoInfer<In>, options?: Omit<EnqueueOptions, 'tx'>): Promise<PreparedJob>
  /** Runs a transaction; jobs enqueued with its `enqueue` exist when it commits, and are sent at once then. */
  transaction<T>(
    fn: (
      tx: JobsTransaction,
      enqueue: <In>(
        job: JobRef<In>,
        input: NoInfer<In>,
        options?: Omit<EnqueueOptions, 'tx'>,
      ) => Promise<string>,
    ) => Promise<T>,
  ): Promise<T>
  /** Core's port: by name. */
  readonly byName: Enqueue
  /** The body of the consumer's `queue()`. Never throws. Returns how each message ended. */
  consume(batch: QueueBatch): Promise<Outcome[]>
  /** The body of the dead letter queue's consumer: what crashed its worker until the queue gave up is marked dead. */
  consumeDead(batch: QueueBatch): Promise<void>
  /** Sends what was not sent, or not heard of since. Call it from cron, every minute. Returns how many. */
  relay(): Promise<number>
  /** Puts back what crashed, gives up what keeps crashing, deletes what is old. Call it from cron before the relay. */
  sweep(): Promise<SweepReport>
  /** Jobs, newest first, without their inputs. */
  list(options?: JobListOptions): Promise<JobSummary[]>
  /** How many jobs are in each state, by type. */
  counts(): Promise<{ type: string; state: JobState; count: number }[]>
  /** Makes dead, discarded or cancelled jobs new again. Returns their ids. */
  replay(filter: JobFilter): Promise<string[]>
  /** Gives up dead jobs for good. Returns how many. */
  discard(filter: JobFilter): Promise<number>
  /** Cancels jobs that have not started. Returns how many. */
  cancel(filter: JobFilter): Promise<number>
  /** Runs one job now, if it is ready: for tests and tools. */
  run(id: string): Promise<Outcome>
}

async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  fn: (item: T, i: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const i = next++
      await fn(items[i] as T, i)
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
}

/**
 * Makes the job service. Holds nothing that belongs to a request, so it may live at module scope.
 * @throws TypeError when two jobs share a name or an option is wrong.
 */
export function createJobs(options: JobsOptions): Jobs {
  const { db, queue, reporter, concurrency = 4, random = Math.random } = options
  const jobs = new Map<string, AnyJob>()
  for (const def of options.jobs) {
    if (jobs.has(def.type)) throw new TypeError(`Two jobs are called "${def.type}"`)
    jobs.set(def.type, def)
  }
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new TypeError('concurrency must be a positive integer')
  const keep = {
    done: milliseconds(options.keep?.done ?? '7 d'),
    dead: milliseconds(options.keep?.dead ?? '30 d'),
  }
  const consumer = { db, queue, jobs, reporter, random }

  function known(def: Pick<AnyJob, 'type'>): void {
    if (jobs.get(def.type) !== def)
      throw new TypeError(`Job "${def.type}" is not among the jobs given to createJobs`)
  }

  async function make(
    def: Omit<AnyJob, 'handler'>,
    input: unknown,
    more: EnqueueOptions = {},
  ): Promise<string> {
    known(def)
    const row = await newJob(def, input, more)
    if (more.tx !== undefined) {
      const tx = more.tx as JobsTransaction
      const id = await insertJob(tx, row)
      if (id === row.id) tx.onCommit?.(() => sendLater(queue, [row]))
      return id
    }
    const id = await insertJob(db, row)
    // Another id: the key is taken, and that job has had its message.
    if (id === row.id) await sendLater(queue, [row])
    return id
  }

  function named(type: string): AnyJob {
    const def = jobs.get(type)
    if (def === undefined) throw new TypeError(`There is no job "${type}"`)
    return def
  }

  async function prepare(def: Omit<AnyJob, 'handler'>, input: unknown, more: EnqueueOptions = {}) {
    known(def)
    const row = await newJob(def, input, more)
    return { id: row.id, statement: insertStatement(db, row), send: () => sendLater(queue, [row]) }
  }

  return {
    enqueue: make,
    byName: Object.assign(
      async (type: string, input: unknown, more?: EnqueueOptions) => make(named(type), input, more),
      {
        prepare: async (type: string, input: unknown, more?: EnqueueOptions) =>
          prepare(named(type), input, more),
      },
    ),
    prepare,
    async transaction(fn) {
      const made: { id: string; delay: number; traceparent: string | undefined }[] = []
      const result = await db.transaction((tx: JobsTransaction) =>
        fn(tx, async (def, input, more = {}) => {
          known(def)
          const row = await newJob(def, input, more)
          const id = await insertJob(tx, row)
          if (id === row.id) made.push(row)
          return id
        }),
      )
      await sendLater(queue, made)
      return result
    },
    async consume(batch) {
      const outcomes: Outcome[] = []
      await forEachLimited(batch.messages, concurrency, async (message, i) => {
        outcomes[i] = await handleMessage(consumer, message)
      })
      return outcomes
    },
    async consumeDead(batch) {
      const ids = batch.messages.flatMap(({ body }) => readMessage(body)?.id ?? [])
      try {
        // What is still pending has attempts left; the relay sends it again. Only what is running with no attempt
        // left and no lease has killed its workers.
        for (const job of ids.length > 0 ? await buryCrashed(db, ids) : []) {
          reporter?.captureException(new Error(`Job "${job.type}" crashed its worker in every attempt`), {
            mechanism: 'queue',
            tags: { job: job.type, outcome: 'dead' },
            extra: { jobId: job.id },
          })
        }
        for (const message of batch.messages) message.ack()
      } catch (error) {
        reporter?.captureException(error, { mechanism: 'queue' })
        for (const message of batch.messages) message.retry({ delaySeconds: 60 })
      }
    },
    async relay() {
      let sent = 0
      for (let round = 0; round < 20; round++) {
        const due = await takeDue(db, 100)
        if (due.length === 0) break
        await queue.sendBatch(
          due.map(({ id, traceparent, ms }) => ({
            body: messageFor(id, traceparent),
            ...(ms > 0 && { delaySeconds: delaySeconds(ms) }),
          })),
        )
        sent += due.length
        if (due.length < 100) break
      }
      return sent
    },
    async sweep() {
      const requeued = await requeueExpired(db)
      const crashed = await buryCrashed(db)
      for (const job of crashed) {
        reporter?.captureException(new Error(`Job "${job.type}" crashed its worker in every attempt`), {
          mechanism: 'scheduled',
          tags: { job: job.type, outcome: 'dead' },
          extra: { jobId: job.id },
        })
      }
      return { requeued, crashed: crashed.length, pruned: await pruneJobs(db, keep, 1000) }
    },
    list: (more) => listJobs(db, more),
    counts: () => countJobs(db),
    async replay(filter) {
      const rows = await replayJobs(db, filter)
      await sendLater(
        queue,
        rows.map(({ id, traceparent }) => ({ id, delay: 0, traceparent: traceparent ?? undefined })),
      )
      return rows.map(({ id }) => id)
    },
    discard: (filter) => endJobs(db, filter, 'dead'),
    cancel: (filter) => endJobs(db, filter, 'pending'),
    async run(id) {
      return (await runJob(consumer, id)).outcome
    },
  }
}

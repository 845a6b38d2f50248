import { currentWork, type Reporter } from '../core/index.ts'
import { traceparent } from '../core/trace.ts'
import type { TransactionalJobContext } from './context.ts'
import type { JobsDatabase, JobsTransaction } from './database.ts'
import { bury, type Ended, finish } from './ending.ts'
import { JobCancelled, JobTimeout, LeaseLost, PermanentError, RetryLater } from './errors.ts'
import type { Loss } from './holds.ts'
import type { AnyJob } from './job.ts'
import { enterLane, leaveLane } from './lanes.ts'
import { type Claim, postpone } from './lease.ts'
import { delaySeconds, type JobQueue, messageFor } from './message.ts'
import { loadInput, type PayloadOptions } from './payload.ts'
import { sendLater, validate } from './produce.ts'
import { describe, logFor, report, type WriteLog } from './report.ts'
import { backoff, DAY } from './retry.ts'
import { type Perform, progressOf, stepsOf } from './steps.ts'
import { startWorkflow, type WorkflowBinding } from './workflow-start.ts'

/** What the consumer works with. */
export interface Consumer {
  readonly db: JobsDatabase
  readonly queue: JobQueue
  readonly jobs: ReadonlyMap<string, AnyJob>
  readonly reporter: Reporter | undefined
  readonly random: () => number
  readonly payloads: PayloadOptions | undefined
  readonly workflow: WorkflowBinding | undefined
  readonly log: WriteLog | undefined
}

/** Sends the messages of jobs whose batch has ended. Never fails. */
export const wake = (consumer: Consumer, ready: readonly Ended[]): Promise<void> =>
  sendLater(
    consumer.queue,
    ready.map(({ id, traceparent }) => ({ id, delay: 0, traceparent: traceparent ?? undefined })),
  )

/** What tells a handler to stop. Its signal is made when first asked for: most never do. */
class Stop {
  #controller: AbortController | undefined
  #reason: Error | undefined

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  now(reason: Error): void {
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}

/** Runs a handler until it returns, its time is over, or the job is no longer its own. */
async function within(def: AnyJob, loss: Loss, fn: (stop: Stop) => Promise<void> | void): Promise<void> {
  if (loss.lost) throw new JobCancelled()
  const stop = new Stop()
  const { promise: stopped, reject } = Promise.withResolvers<never>()
  const end = (reason: Error): void => {
    stop.now(reason)
    reject(reason)
  }
  loss.onLoss = () => end(new JobCancelled())
  const timer = setTimeout(() => end(new JobTimeout(def.timeout)), def.timeout)
  try {
    await Promise.race([(async () => fn(stop))(), stopped])
  } finally {
    clearTimeout(timer)
    loss.onLoss = undefined
  }
}

async function inputOf(consumer: Consumer, def: AnyJob, claim: Claim): Promise<unknown> {
  let input = await loadInput(consumer.payloads, claim)
  for (let version = claim.version; version < def.version; version++) {
    input = (def.upgrade[version] as (old: unknown) => unknown)(input)
  }
  const checked = await validate(def.schema, input)
  if ('value' in checked) return checked.value
  const where = checked.faults.map(({ pointer }) => pointer || '/').join(', ')
  throw new PermanentError(`The input does not fit at ${where}`)
}

/** Why this worker cannot run a job at all. */
function unfit(def: AnyJob | undefined, claim: Claim): string | undefined {
  if (def === undefined) return 'unknown-type'
  if (claim.version > def.version) return 'unknown-version'
  for (let version = claim.version; version < def.version; version++) {
    if (def.upgrade[version] === undefined) return 'unknown-version'
  }
  return undefined
}

/** How an attempt ended, and when its message is to come again. */
export interface Attempt {
  readonly outcome: 'done' | 'retried' | 'dead' | 'skipped' | 'waiting' | 'started'
  readonly delay?: number
}

/** How an attempt is carried out: by the queue's consumer, or by a workflow. */
export interface Means {
  readonly loss: Loss
  /** Marks a job without a transaction done; false when the lease was lost. */
  finish(claim: Claim): Promise<boolean>
  readonly perform?: Perform
}

/** Runs the handler of a claimed job and writes down that it is done. */
export async function execute(consumer: Consumer, def: AnyJob, claim: Claim, means: Means): Promise<void> {
  const input = await inputOf(consumer, def, claim)
  const lane = def.limit && `${def.type}:${def.limit.key(input)}`.slice(0, 1000)
  if (def.limit && lane !== undefined) {
    const ms = await enterLane(consumer.db, lane, claim.id, def.timeout + 30_000, def.limit)
    if (ms !== undefined) throw new Crowded(ms)
  }
  const context = (stop: Stop, tx?: JobsTransaction): TransactionalJobContext<unknown> => ({
    input,
    id: claim.id,
    attempt: claim.attempt,
    last: claim.attempt >= claim.maxAttempts,
    get signal() {
      return stop.signal
    },
    step: stepsOf(consumer.db, claim, stop, means.perform),
    progress: progressOf(consumer.db, claim),
    log: logFor(consumer.log, claim),
    // Only those who declared a transaction see it.
    tx: tx as JobsTransaction,
  })
  try {
    if (!def.transactional) {
      await within(def, means.loss, (stop) => def.handler(context(stop)))
      if (!(await means.finish(claim))) throw new LeaseLost()
      return
    }
    const { ready } = await consumer.db.transaction(async (tx: JobsTransaction) => {
      await within(def, means.loss, (stop) => def.handler(context(stop, tx)))
      const finished = await finish(tx, [claim])
      // The fence: a worker that was too slow finds another's token here, and its effect is rolled back.
      if (finished.done.size === 0) throw new LeaseLost()
      return finished
    })
    await wake(consumer, ready)
  } finally {
    // Where this fails, the place is free when the lease would have been over.
    if (lane !== undefined) await leaveLane(consumer.db, lane, claim.id).catch(() => {})
  }
}

/** There is no room for it under its key: not its fault, and no attempt. */
class Crowded extends Error {
  readonly ms: number
  constructor(ms: number) {
    super('Others run under the same key')
    this.ms = ms
  }
}

/** Writes down that an attempt failed. */
export async function failed(
  consumer: Consumer,
  def: AnyJob,
  claim: Claim,
  error: unknown,
): Promise<Attempt> {
  // Somebody else has it, or it was cancelled: what becomes of it is not ours to write.
  if (error instanceof LeaseLost || error instanceof JobCancelled) return { outcome: 'skipped' }
  if (error instanceof Crowded) {
    const ms = Math.round(error.ms * (1 + consumer.random()))
    if (!(await postpone(consumer.db, claim, ms, undefined))) return { outcome: 'skipped' }
    return { outcome: 'waiting', delay: delaySeconds(ms) }
  }
  const failure = describe(error)
  if (error instanceof PermanentError || claim.attempt >= claim.maxAttempts) {
    const ending = await bury(consumer.db, claim, failure)
    if (ending.ended.length === 0) return { outcome: 'skipped' }
    report(consumer.reporter, error, claim, true)
    await wake(consumer, ending.ready)
    return { outcome: 'dead' }
  }
  const ms =
    error instanceof RetryLater
      ? Math.min(DAY, error.seconds * 1000)
      : backoff(def.retry, claim.attempt, consumer.random())
  // Nothing to put back: the lease was lost, or the commit whose answer was lost had happened after all.
  if (!(await postpone(consumer.db, claim, ms, failure))) return { outcome: 'skipped' }
  report(consumer.reporter, error, claim, false)
  await resend(consumer, claim, ms)
  return { outcome: 'retried' }
}

/** A fresh message, so that the queue's own count of retries says nothing about ours. Lost, the relay sends it. */
async function resend(consumer: Consumer, claim: Claim, ms: number): Promise<void> {
  const trace = currentWork()?.trace
  await consumer.queue
    .send(messageFor(claim.id, trace && traceparent(trace)), { delaySeconds: delaySeconds(ms) })
    .catch(() => {})
}

/** How often a job is put back that nobody here knows: in the middle of a deployment others do. */
const UNKNOWN_ATTEMPTS = 3

async function unknown(consumer: Consumer, claim: Claim, failure: string): Promise<Attempt> {
  const detail = `Nobody here runs "${claim.type}" version ${claim.version}`
  const written = { failure, failureDetail: detail }
  if (claim.attempt < Math.min(UNKNOWN_ATTEMPTS, claim.maxAttempts)) {
    if (!(await postpone(consumer.db, claim, 60_000, written))) return { outcome: 'skipped' }
    await resend(consumer, claim, 60_000)
    return { outcome: 'retried' }
  }
  const ending = await bury(consumer.db, claim, written)
  report(consumer.reporter, new PermanentError(detail), claim, true)
  await wake(consumer, ending.ready)
  return { outcome: 'dead' }
}

/** Runs one claimed job. Throws only when the database cannot be asked. */
export async function attempt(consumer: Consumer, claim: Claim, means: Means): Promise<Attempt> {
  const def = consumer.jobs.get(claim.type)
  const reason = unfit(def, claim)
  if (def === undefined || reason !== undefined) return unknown(consumer, claim, reason ?? 'unknown-type')
  try {
    if (def.runsOn === 'workflow') {
      await startWorkflow(consumer, claim)
      return { outcome: 'started' }
    }
    await execute(consumer, def, claim, means)
    return { outcome: 'done' }
  } catch (error) {
    return failed(consumer, def, claim, error)
  }
}

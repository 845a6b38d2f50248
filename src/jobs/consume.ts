import {
  currentWork,
  isBreakwaterError,
  type Reporter,
  runWork,
  type TraceContext,
  traceparent,
  workFor,
} from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'
import type { JobsDatabase, JobsTransaction } from './database.ts'
import { JobTimeout, LeaseLost, PermanentError, RetryLater } from './errors.ts'
import type { AnyJob } from './job.ts'
import { delaySeconds, type JobQueue, messageFor, type QueueMessage, readMessage } from './message.ts'
import { validate } from './produce.ts'
import { backoff, DAY } from './retry.ts'
import {
  bury,
  buryCrashed,
  type Claim,
  claim,
  type Failure,
  finish,
  postpone,
  whyUnclaimed,
} from './store.ts'

/** What the consumer works with. */
export interface Consumer {
  readonly db: JobsDatabase
  readonly queue: JobQueue
  readonly jobs: ReadonlyMap<string, AnyJob>
  readonly reporter: Reporter | undefined
  readonly random: () => number
}

/** How one message ended. */
export type Outcome =
  | 'done'
  | 'retried'
  | 'dead'
  /** Nothing to do: finished before, or a double. */
  | 'skipped'
  /** Not ours to run yet: the message comes again. */
  | 'early'
  /** No message of ours. */
  | 'foreign'
  /** The database could not be asked: the message comes again. */
  | 'unreachable'

function describe(error: unknown): Failure {
  const { name, message } = error instanceof Error ? error : { name: 'NonError', message: String(error) }
  const cause = isBreakwaterError(error) && error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return { failure: name.slice(0, 100), failureDetail: redactText(`${message}${cause}`).slice(0, 1000) }
}

function report(
  consumer: Consumer,
  error: unknown,
  job: Pick<Claim, 'type' | 'id' | 'attempt'>,
  dead: boolean,
): void {
  try {
    if (consumer.reporter === undefined) {
      // Whoever observes the work hears of it, and the console where nobody does.
      ;(currentWork() ?? workFor('queue')).fail?.(error, 'queue')
      return
    }
    consumer.reporter.captureException(error, {
      mechanism: 'queue',
      handled: true,
      level: dead ? 'error' : 'warning',
      tags: { job: job.type, outcome: dead ? 'dead' : 'retried' },
      extra: { jobId: job.id, attempt: job.attempt },
    })
  } catch {
    // A reporter does not throw; one that does must not cost the job.
  }
}

async function runHandler(
  def: AnyJob,
  context: Omit<Parameters<AnyJob['handler']>[0], 'signal'>,
): Promise<void> {
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new JobTimeout(def.timeout)
      controller.abort(error)
      reject(error)
    }, def.timeout)
  })
  try {
    await Promise.race([(async () => def.handler({ ...context, signal: controller.signal }))(), late])
  } finally {
    clearTimeout(timer)
  }
}

async function execute(consumer: Consumer, def: AnyJob, claimed: Claim): Promise<void> {
  const checked = await validate(def.schema, claimed.input)
  if ('faults' in checked) {
    throw new PermanentError(
      `The input does not fit at ${checked.faults.map((f) => f.pointer || '/').join(', ')}`,
    )
  }
  const context = {
    input: checked.value,
    id: claimed.id,
    attempt: claimed.attempt,
    last: claimed.attempt >= claimed.maxAttempts,
  }
  if (!def.transactional) {
    await runHandler(def, { ...context, tx: undefined as unknown as JobsTransaction })
    if (!(await finish(consumer.db, claimed))) throw new LeaseLost()
    return
  }
  await consumer.db.transaction(async (tx: JobsTransaction) => {
    await runHandler(def, { ...context, tx })
    // The fence: a worker that was too slow finds another's token here, and its effect is rolled back.
    if (!(await finish(tx, claimed))) throw new LeaseLost()
  })
}

async function failed(consumer: Consumer, def: AnyJob, claimed: Claim, error: unknown): Promise<Outcome> {
  // Somebody else has it, or it was cancelled: what becomes of it is not ours to write.
  if (error instanceof LeaseLost) return 'skipped'
  const failure = describe(error)
  const dead = error instanceof PermanentError || claimed.attempt >= claimed.maxAttempts
  if (dead) {
    if (!(await bury(consumer.db, claimed, failure))) return 'skipped'
    report(consumer, error, claimed, true)
    return 'dead'
  }
  const ms =
    error instanceof RetryLater
      ? Math.min(DAY, error.seconds * 1000)
      : backoff(def.retry, claimed.attempt, consumer.random())
  // Nothing to put back: the lease was lost, or the commit whose answer was lost had happened after all.
  if (!(await postpone(consumer.db, claimed, ms, failure))) return 'skipped'
  report(consumer, error, claimed, false)
  // A fresh message, so that the queue's own count of retries says nothing about ours. When it cannot be sent, the
  // relay sends it.
  const trace = currentWork()?.trace
  await consumer.queue
    .send(messageFor(claimed.id, trace && traceparent(trace)), {
      delaySeconds: delaySeconds(ms),
    })
    .catch(() => {})
  return 'retried'
}

/** Runs one job, if it is ready. Throws only when the database cannot be asked. */
export async function runJob(consumer: Consumer, id: string): Promise<{ outcome: Outcome; delay?: number }> {
  const claimed = await claim(consumer.db, id)
  if (claimed === undefined) {
    const why = await whyUnclaimed(consumer.db, id)
    if (why.is === 'early') return { outcome: 'early', delay: delaySeconds(why.ms + 1000) }
    if (why.is === 'crashed') {
      for (const job of await buryCrashed(consumer.db, [id])) {
        report(
          consumer,
          new Error(`Job "${job.type}" crashed its worker in every attempt`),
          { ...job, attempt: 0 },
          true,
        )
        return { outcome: 'dead' }
      }
    }
    return { outcome: 'skipped' }
  }
  const facts = currentWork()?.facts
  facts?.set('job', claimed.type)
  const def = consumer.jobs.get(claimed.type)
  if (def?.version !== claimed.version) {
    const failure = def === undefined ? 'unknown-type' : 'unknown-version'
    const detail = `Nobody here runs "${claimed.type}" version ${claimed.version}`
    report(consumer, new PermanentError(detail), claimed, true)
    await bury(consumer.db, claimed, { failure, failureDetail: detail })
    return { outcome: 'dead' }
  }
  try {
    await execute(consumer, def, claimed)
    return { outcome: 'done' }
  } catch (error) {
    facts?.set('jobFailed', true)
    return { outcome: await failed(consumer, def, claimed, error) }
  }
}

async function inWork<T>(trace: TraceContext | undefined, id: string, fn: () => Promise<T>): Promise<T> {
  const outer = currentWork()
  const work = workFor('queue', outer, { ...(trace && { trace }) })
  work.facts.set('jobId', id)
  // The batch's observers hear of what happens in its messages.
  if (outer?.fail) work.observe?.({ failed: (error, mechanism) => outer.fail?.(error, mechanism) })
  // A transaction of its own, in the trace of the request that made the job.
  const ended = outer?.begin?.(work)
  let ok = false
  try {
    const result = await runWork(work, fn)
    ok = work.facts.get('jobFailed') !== true
    return result
  } finally {
    ended?.(`job ${work.facts.get('job') ?? '[unclaimed]'}`, ok)
  }
}

/** Handles one message. Never throws; the message is acknowledged or retried by the time it resolves. */
export async function handleMessage(consumer: Consumer, message: QueueMessage): Promise<Outcome> {
  const read = readMessage(message.body)
  if (read === undefined) {
    report(
      consumer,
      new PermanentError('A message that is no job was dropped'),
      { type: 'unknown', id: '', attempt: 0 },
      true,
    )
    message.ack()
    return 'foreign'
  }
  try {
    const { outcome, delay } = await inWork(read.trace, read.id, () => runJob(consumer, read.id))
    // Only after the commit.
    if (outcome === 'early') message.retry({ delaySeconds: delay ?? 1 })
    else message.ack()
    return outcome
  } catch (error) {
    report(consumer, error, { type: 'unknown', id: read.id, attempt: message.attempts }, false)
    message.retry({
      delaySeconds: delaySeconds(Math.min(3_600_000, 5000 * 2 ** Math.min(message.attempts, 12))),
    })
    return 'unreachable'
  }
}

import type { StandardSchemaV1 } from '@standard-schema/spec'
import {
  BreakwaterError,
  currentWork,
  type EnqueueOptions,
  type FieldFault,
  span,
  traceparent,
  uuidv7,
} from '../core/index.ts'
import type { JobsDatabase, JobsTransaction } from './database.ts'
import type { AnyJob } from './job.ts'
import { delaySeconds, type JobQueue, messageFor } from './message.ts'
import { HORIZON, insertStatement, type NewJob } from './store.ts'

/** Payloads live in a row; past this they belong into an object store. */
const MAX_INPUT = 262_144

/** Between the end of a handler's timeout and that of its lease: time to write down how it ended. */
const GRACE = 30_000

/** The statement that makes a job, to be run by the caller. */
export type JobStatement = ReturnType<typeof insertStatement>

/** A job about to be made by the caller's own batch. */
export interface PreparedJob {
  /** The id it will have, unless a job with the same key exists: then the statement returns that one's. */
  readonly id: string
  /** Goes into `db.batch([...])`; returns `[{ id }]`. */
  readonly statement: JobStatement
  /** To be called after the batch has committed: sends the message behind the reply. Never fails. Without it the relay sends, within two minutes. */
  send(): Promise<void>
}

function pointer(path: StandardSchemaV1.Issue['path']): string {
  const keys = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
  return keys.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** What a schema says about a value, or its faults. */
export async function validate(
  schema: StandardSchemaV1,
  value: unknown,
): Promise<{ readonly value: unknown } | { readonly faults: FieldFault[] }> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return { value: result.value }
  return { faults: result.issues.map((issue) => ({ pointer: pointer(issue.path), detail: issue.message })) }
}

/** Makes the row of a job. The input is checked as it will be read: after a way through JSON. */
export async function newJob(
  def: Omit<AnyJob, 'handler'>,
  input: unknown,
  options: EnqueueOptions,
): Promise<NewJob> {
  const { key, delay = 0 } = options
  if (!(delay >= 0 && delay <= 10 * 366 * 86_400))
    throw new TypeError('A job’s delay is 0 to ten years, in seconds')
  if (key !== undefined && (key === '' || key.length > 500))
    throw new TypeError('A job’s key is 1 to 500 characters')
  const text = JSON.stringify(input) ?? 'null'
  if (text.length > MAX_INPUT) {
    throw new BreakwaterError('payload-too-large', {
      status: 500,
      cause: new RangeError(
        `The input of job "${def.type}" has ${text.length} characters; ${MAX_INPUT} are allowed`,
      ),
    })
  }
  const stored: unknown = JSON.parse(text)
  const checked = await validate(def.schema, stored)
  if ('faults' in checked) {
    throw new BreakwaterError('validation-failed', {
      status: 500,
      cause: new TypeError(
        `The input of job "${def.type}" does not fit its schema at ${checked.faults.map((f) => f.pointer || '/').join(', ')}`,
      ),
      fields: checked.faults,
    })
  }
  const work = currentWork()
  return {
    id: uuidv7(),
    type: def.type,
    version: def.version,
    input: stored,
    key,
    delay,
    maxAttempts: def.retry.attempts,
    leaseMs: def.timeout + GRACE,
    traceparent: work && traceparent(work.trace),
  }
}

/**
 * Sends messages behind the reply, and never fails: whatever is lost here, the relay sends. Where there is no unit of
 * work to outlive, it resolves when they are sent.
 */
export async function sendLater(
  queue: JobQueue,
  rows: readonly Pick<NewJob, 'id' | 'delay' | 'traceparent'>[],
): Promise<void> {
  const near = rows.filter(({ delay }) => delay <= HORIZON)
  if (near.length === 0) return
  const sending = span('queue.publish', 'jobs', async () => {
    for (let i = 0; i < near.length; i += 100) {
      const part = near.slice(i, i + 100).map((row) => ({
        body: messageFor(row.id, row.traceparent),
        ...(row.delay > 0 && { delaySeconds: delaySeconds(row.delay * 1000) }),
      }))
      const [first] = part
      if (part.length === 1 && first) {
        const { body, ...rest } = first
        await queue.send(body, rest)
      } else await queue.sendBatch(part)
    }
  }).catch(() => {})
  const work = currentWork()
  if (work) work.waitUntil(sending)
  else await sending
}

/** Writes one job, in the caller's transaction if there is one. Resolves with the id of the job that exists then. */
export async function insertJob(db: JobsDatabase | JobsTransaction, row: NewJob): Promise<string> {
  const [written] = await insertStatement(db, row)
  return written?.id ?? row.id
}

import type { StandardSchemaV1 } from '@standard-schema/spec'
import {
  BreakwaterError,
  currentWork,
  type Duration,
  type EnqueueOptions,
  type FieldFault,
  milliseconds,
  span,
  uuidv7,
} from '../core/index.ts'
import { traceparent } from '../core/trace.ts'
import { HORIZON, type JobStatement, type NewJob } from './insert.ts'
import type { AnyJob } from './job.ts'
import { delaySeconds, type JobQueue, messageFor } from './message.ts'
import { maxInput, type PayloadOptions, storeInput } from './payload.ts'
import { START_LEASE } from './workflow-start.ts'

/** Between the end of a handler's timeout and that of its lease: time to write down how it ended. */
const GRACE = 30_000

/** When and how a job runs. */
export interface JobEnqueueOptions extends Omit<EnqueueOptions, 'delay'> {
  /** Before it may start: seconds, or a duration such as `'10 m'`. At most ten years. Default 0. */
  readonly delay?: number | Exclude<Duration, number>
  /** -100 to 100; higher first. Default: the job's own. */
  readonly priority?: number
  /**
   * While a job of this type with this key has not started, no second one is made: the waiting one takes this input
   * and waits anew. `wait` is how long; `maxWait`, from the first call on, bounds it (default ten times `wait`).
   */
  readonly debounce?: { readonly key: string; readonly wait: Duration; readonly maxWait?: Duration }
}

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

const within = (text: string, length: number): boolean => text !== '' && text.length <= length

function timing({ key, delay = 0, debounce }: JobEnqueueOptions): Pick<NewJob, 'delay' | 'debounce'> {
  if (debounce === undefined) {
    const seconds = typeof delay === 'string' ? milliseconds(delay) / 1000 : delay
    if (!(seconds >= 0 && seconds <= 10 * 366 * 86_400))
      throw new TypeError('A job’s delay is 0 to ten years, in seconds')
    return { delay: seconds }
  }
  if (key !== undefined || delay !== 0) throw new TypeError('A debounced job has no key and no delay')
  const wait = milliseconds(debounce.wait)
  const maxWait = debounce.maxWait === undefined ? wait * 10 : milliseconds(debounce.maxWait)
  if (!within(debounce.key, 500) || wait < 1 || maxWait < wait)
    throw new TypeError('debounce takes a key of 1 to 500 characters, a wait, and a maxWait not below it')
  return { delay: wait / 1000, debounce: { key: debounce.key, maxWait } }
}

/** Makes the row of a job. The input is checked as it will be read: after a way through JSON. */
export async function newJob(
  def: Omit<AnyJob, 'handler' | 'limit'>,
  input: unknown,
  options: JobEnqueueOptions,
  payloads?: PayloadOptions,
): Promise<NewJob> {
  const { key, priority = def.priority } = options
  const when = timing(options)
  if (key !== undefined && !within(key, 500)) throw new TypeError('A job’s key is 1 to 500 characters')
  if (!Number.isInteger(priority) || Math.abs(priority) > 100)
    throw new TypeError('A job’s priority is -100 to 100')
  const text = JSON.stringify(input) ?? 'null'
  const most = maxInput(payloads)
  if (text.length > most) {
    throw new BreakwaterError('payload-too-large', {
      status: 500,
      cause: new RangeError(
        `The input of job "${def.type}" has ${text.length} characters; ${most} are allowed`,
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
  const id = uuidv7()
  const inputObject = await storeInput(payloads, id, text)
  return {
    id,
    type: def.type,
    version: def.version,
    input: inputObject === undefined ? stored : null,
    inputObject,
    key,
    priority,
    ...when,
    maxAttempts: def.retry.attempts,
    leaseMs: def.runsOn === 'workflow' ? START_LEASE : def.timeout + GRACE,
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

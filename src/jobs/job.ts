import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Duration, milliseconds } from '../core/index.ts'
import type { JobsTransaction } from './database.ts'
import { compileRetry, type Retry, type RetryPolicy } from './retry.ts'

/** What a handler is given. */
export interface JobContext<Input> {
  /** What the job was given, as the schema puts it out. */
  readonly input: Input
  /** The job's id. Hand it to providers as their idempotency key: it stays the same in every attempt. */
  readonly id: string
  /** From 1. */
  readonly attempt: number
  /** Whether this is the last attempt. */
  readonly last: boolean
  /** Aborted when the timeout is over. */
  readonly signal: AbortSignal
}

/** What a handler with a database effect is given. */
export interface TransactionalJobContext<Input> extends JobContext<Input> {
  /**
   * A transaction. What is written through it and the job's being done commit together, or not at all: the
   * effect happens exactly once, however often the message comes.
   */
  readonly tx: JobsTransaction
}

/** Options of {@link job}. */
export interface JobOptions<Schema extends StandardSchemaV1> {
  /** Raised with every change of `input` that old rows do not fit. A positive integer. Default 1. */
  readonly version?: number
  /** What the job is given: any Standard Schema. Checked when enqueued and again when run. */
  readonly input: Schema
  readonly retry?: RetryPolicy
  /** How long one attempt may take. Default 60 seconds; at most 14 minutes, within a queue consumer's 15. */
  readonly timeout?: Duration
}

/** A kind of job. */
export interface JobDefinition<In = never, Out = unknown> {
  readonly type: string
  readonly version: number
  readonly schema: StandardSchemaV1<In, Out>
  readonly retry: Retry
  /** Milliseconds. */
  readonly timeout: number
  readonly transactional: boolean
  readonly handler: (context: TransactionalJobContext<Out>) => Promise<void> | void
}

/** A job as those who enqueue it see it. */
export type JobRef<In> = Omit<JobDefinition<In, unknown>, 'handler'>

/** Any job, whatever it takes. */
// biome-ignore lint/suspicious/noExplicitAny: In is contravariant and Out is not; only `any` is both.
export type AnyJob = JobDefinition<any, any>

type Options<S extends StandardSchemaV1> = JobOptions<S>
type In<S extends StandardSchemaV1> = StandardSchemaV1.InferInput<S>
type Out<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>

/**
 * Declares a job whose effect is in the database: the handler works through `tx`.
 *
 * @param type its name, kept in rows: letters, digits, `.`, `_`, `-`, at most 100. Renaming it orphans what waits.
 * @throws TypeError at once when an option is wrong.
 */
export function job<S extends StandardSchemaV1>(
  type: string,
  options: Options<S> & { readonly transaction?: true },
  handler: (context: TransactionalJobContext<Out<S>>) => Promise<void> | void,
): JobDefinition<In<S>, Out<S>>
/**
 * Declares a job whose effect is outside, such as a mail: no transaction is held open while it runs. It is run at least
 * once; hand `id` to the provider as its idempotency key.
 */
export function job<S extends StandardSchemaV1>(
  type: string,
  options: Options<S> & { readonly transaction: false },
  handler: (context: JobContext<Out<S>>) => Promise<void> | void,
): JobDefinition<In<S>, Out<S>>
export function job<S extends StandardSchemaV1>(
  type: string,
  options: Options<S> & { readonly transaction?: boolean },
  handler: (context: TransactionalJobContext<Out<S>>) => Promise<void> | void,
): JobDefinition<In<S>, Out<S>> {
  const { version = 1 } = options
  if (!/^[\w.-]{1,100}$/.test(type)) throw new TypeError(`"${type}" is no name for a job`)
  if (!Number.isInteger(version) || version < 1)
    throw new TypeError(`Job "${type}": version must be 1 or more`)
  const timeout = milliseconds(options.timeout ?? '60 s')
  if (timeout < 1 || timeout > 840_000)
    throw new TypeError(`Job "${type}": timeout must be within 14 minutes`)
  return {
    type,
    version,
    schema: options.input as StandardSchemaV1<In<S>, Out<S>>,
    retry: compileRetry(options.retry),
    timeout,
    transactional: options.transaction ?? true,
    handler,
  }
}

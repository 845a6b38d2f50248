import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Duration, milliseconds } from '../core/index.ts'
import type { JobContext, TransactionalJobContext } from './context.ts'
import { type CompiledLimit, compileLimit, type LimitOptions } from './limit.ts'
import { compileRetry, type Retry, type RetryPolicy } from './retry.ts'

/** Options of {@link job}. */
export interface JobOptions<Schema extends StandardSchemaV1> {
  /** Raised with every change of `input` that old rows do not fit. A positive integer. Default 1. */
  readonly version?: number
  /** What the job is given: any Standard Schema. Checked when enqueued and again when run. */
  readonly input: Schema
  /**
   * How inputs of older versions become newer ones: under `1`, what makes an input of version 2 of one of version 1,
   * and so on. A waiting job of an older version goes through all that follow, then through `input`. Pure functions.
   */
  // biome-ignore lint/suspicious/noExplicitAny: an old input has a type that no longer exists.
  readonly upgrade?: Readonly<Record<number, (old: any) => unknown>>
  readonly retry?: RetryPolicy
  /**
   * How long one attempt may take. Default 60 seconds; at most 14 minutes, within a queue consumer's 15. With
   * `runsOn: 'workflow'` at most 7 days.
   */
  readonly timeout?: Duration
  /** Where an attempt runs: in the queue's consumer, or, when that is too short for it, in a Cloudflare Workflow. Default `queue`. */
  readonly runsOn?: 'queue' | 'workflow'
  /** Which start first where several wait: higher before lower, -100 to 100. Default 0. */
  readonly priority?: number
  /** How many run at once, or start within a time, by a key of the input. */
  readonly limit?: LimitOptions<StandardSchemaV1.InferOutput<Schema>>
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
  readonly runsOn: 'queue' | 'workflow'
  readonly priority: number
  readonly limit: CompiledLimit<Out> | undefined
  readonly upgrade: Readonly<Record<number, (old: never) => unknown>>
  readonly handler: (context: TransactionalJobContext<Out>) => Promise<void> | void
}

/** A job as those who enqueue it see it. */
export type JobRef<In> = Omit<JobDefinition<In, unknown>, 'handler' | 'limit'>

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
  const { runsOn = 'queue', priority = 0, upgrade = {}, transaction = runsOn === 'queue' } = options
  const timeout = milliseconds(options.timeout ?? '60 s')
  const [most, words] =
    runsOn === 'queue' ? [840_000, '14 minutes; longer jobs say runsOn: "workflow"'] : [604_800_000, '7 days']
  if (timeout < 1 || timeout > most) throw new TypeError(`Job "${type}": timeout must be within ${words}`)
  if (runsOn === 'workflow' && transaction)
    throw new TypeError(`Job "${type}": no transaction can be held open in a workflow`)
  if (!Number.isInteger(priority) || Math.abs(priority) > 100)
    throw new TypeError(`Job "${type}": priority must be -100 to 100`)
  for (const from of Object.keys(upgrade)) {
    if (!(Number(from) >= 1 && Number(from) < version))
      throw new TypeError(`Job "${type}": upgrade ${from} is from no version below ${version}`)
  }
  return {
    type,
    version,
    schema: options.input as StandardSchemaV1<In<S>, Out<S>>,
    retry: compileRetry(options.retry),
    timeout,
    transactional: transaction,
    runsOn,
    priority,
    limit: compileLimit(options.limit),
    upgrade,
    handler,
  }
}

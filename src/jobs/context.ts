import type { JobsTransaction } from './database.ts'

/** What a step is given. */
export interface StepContext {
  /**
   * The idempotency key of what this step does outside of the database: made of the job's id and the step's name, the
   * same in every attempt.
   */
  readonly key: string
  /** As the job's. */
  readonly signal: AbortSignal
}

/**
 * Does something once and remembers what came of it, so that a retry goes on where it stopped: a step that has
 * returned is not done again, and its result is read from the row. The result passes through JSON and has at most
 * 65,536 characters. A crash between the effect and the remembering repeats the step, with the same key.
 *
 * @param name unlike that of every other step of the job; at most 100 characters.
 */
export type Step = <T>(name: string, fn: (context: StepContext) => Promise<T> | T) => Promise<T>

/** Writes lines that name the job. */
export type JobLog = Readonly<
  Record<
    'debug' | 'info' | 'warn' | 'error',
    (message: string, fields?: Readonly<Record<string, unknown>>) => void
  >
>

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
  /** Aborted when the timeout is over, the job is cancelled, or the lease is lost; the reason says which. */
  readonly signal: AbortSignal
  readonly step: Step
  /**
   * Writes down how far the job is, for `status(id)`: a small value in JSON, at most 4,096 characters. A round trip.
   * Rejects when the job was cancelled.
   */
  progress(value: unknown): Promise<void>
  readonly log: JobLog
}

/** What a handler with a database effect is given. */
export interface TransactionalJobContext<Input> extends JobContext<Input> {
  /**
   * A transaction. What is written through it and the job's being done commit together, or not at all: the
   * effect happens exactly once, however often the message comes.
   */
  readonly tx: JobsTransaction
}

import { type Duration, milliseconds } from '../core/index.ts'

/** How a job is tried again. */
export interface RetryPolicy {
  /** Attempts in all, the first included. Default 8. */
  readonly attempts?: number
  /** The back-off's base: the first retry comes within this. Default 10 seconds. */
  readonly base?: Duration
  /** No retry comes later than this. Default 1 hour; at most 24 hours, the longest delay of a queue. */
  readonly max?: Duration
}

/** {@link RetryPolicy} with everything filled in, in milliseconds. */
export interface Retry {
  readonly attempts: number
  readonly base: number
  readonly max: number
}

/** The longest delay a queue takes. */
export const DAY: number = 86_400_000

/** Fills in and checks. @throws TypeError */
export function compileRetry(policy: RetryPolicy = {}): Retry {
  const { attempts = 8 } = policy
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 100) {
    throw new TypeError('retry.attempts must be an integer between 1 and 100')
  }
  const base = milliseconds(policy.base ?? '10 s')
  const max = milliseconds(policy.max ?? '1 h')
  if (base < 1 || max < base)
    throw new TypeError('retry.max must be at least retry.base, and that more than 0')
  if (max > DAY) throw new TypeError('retry.max must be at most 24 hours')
  return { attempts, base, max }
}

/**
 * Milliseconds before the next attempt: exponential with full jitter, so that jobs which failed together do not come
 * back together. Never past {@link Retry.max}.
 *
 * @param attempt the attempt that failed, from 1.
 * @param random between 0 and 1.
 */
export function backoff(retry: Retry, attempt: number, random: number = Math.random()): number {
  const ceiling = Math.min(retry.max, retry.base * 2 ** Math.min(attempt - 1, 40))
  return Math.round(random * ceiling)
}

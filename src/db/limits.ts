import { currentWork, type Work } from '../core/index.ts'

/** How long one thing may take, and what cuts it short. */
export interface Limit {
  /** Milliseconds left; at least 1. */
  readonly milliseconds: number
  readonly signal: AbortSignal
}

/** Milliseconds this may take: the budget, or what is left of the current work's. 0 when nothing is left. */
export function remaining(budget: number, work: Work | undefined = currentWork()): number {
  if (work?.signal.aborted === true) return 0
  if (work?.deadline === undefined) return budget
  return Math.max(0, Math.min(budget, work.deadline - Date.now()))
}

/** A limit that starts now, or undefined when there is no time left. */
export function limitNow(budget: number): Limit | undefined {
  const work = currentWork()
  const milliseconds = remaining(budget, work)
  if (milliseconds <= 0) return undefined
  const timer = AbortSignal.timeout(Math.ceil(milliseconds))
  return { milliseconds, signal: work === undefined ? timer : AbortSignal.any([work.signal, timer]) }
}

/** Waits a random part of a time that doubles with every attempt ("full jitter"). */
export function backOff(attempt: number, base: number, longest: number): Promise<void> {
  const delay = Math.random() * Math.min(longest, base * 2 ** (attempt - 1))
  return new Promise((resolve) => setTimeout(resolve, delay))
}

import type { MiddlewareHandler } from 'hono'
import { deriveWork } from '../core/request-context.ts'
import { type Duration, milliseconds } from '../core/time.ts'
import { withBudget } from '../core/unit-of-work.ts'
import { runWork } from '../core/work.ts'

/**
 * A tighter time budget for some routes than the whole request has. When it is spent, the signal of the work is aborted
 * and the reply is 504 `deadline-exceeded`. It never lengthens the budget of the request.
 * @param limit For example `'2 s'`.
 * @throws TypeError when built with what is no duration, or 0.
 */
export function timeBudget(limit: Duration): MiddlewareHandler {
  const budget = milliseconds(limit)
  if (budget === 0) throw new TypeError('A time budget must be more than 0')
  return async function timeBudget(c, next): Promise<void> {
    const work = deriveWork(c)
    work.deadline = Math.min(work.deadline ?? Number.POSITIVE_INFINITY, Date.now() + budget)
    await runWork(work, () => withBudget(work, budget, next))
  }
}

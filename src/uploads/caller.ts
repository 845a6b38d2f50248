import type { Context, Env } from 'hono'
import { BreakwaterError } from '../core/errors.ts'
import { currentWork } from '../core/work.ts'
import type { ResolvedOptions } from './options.ts'

/** The form of ids. Anything else is no upload, and must not reach a `uuid` column. */
export const UUID: RegExp = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Who is asking. @throws BreakwaterError 401 when nobody is. */
export function requireOwner<E extends Env>(c: Context<E>, options: ResolvedOptions<E>): string {
  const owner = options.owner(c)
  if (owner === undefined) throw new BreakwaterError('unauthenticated', { status: 401 })
  return owner
}

/**
 * Lets a promise go on when the client has left, so that what was begun is undone.
 * Hono's `executionCtx` throws where there is none, as in `app.request()`.
 */
export function keepAlive<E extends Env>(c: Context<E>, promise: Promise<unknown>): void {
  const quiet = promise.then(
    () => {},
    () => {},
  )
  const work = currentWork()
  if (work !== undefined) {
    work.waitUntil(quiet)
    return
  }
  try {
    c.executionCtx.waitUntil(quiet)
  } catch {}
}

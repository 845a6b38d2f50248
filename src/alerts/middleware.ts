import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { currentWork } from '../core/index.ts'
import type { Alerts } from './alerts.ts'

function routeOf(c: Context): string {
  const found = matchedRoutes(c).findLast(({ method, path }) => method !== 'ALL' || !path.endsWith('*'))
  return `${c.req.method} ${found?.path ?? '[unknown]'}`
}

/**
 * Counts each request for {@link Alerts}: its route's pattern, whether it failed (5xx), how long it took. Mount it right
 * after `requestContext()`. It adds no round trip to a request.
 */
export function countRequests(alerts: Alerts): MiddlewareHandler {
  return async function countRequests(c, next): Promise<void> {
    const start = Date.now()
    let status = 500
    try {
      await next()
      status = c.res.status
    } finally {
      const work = currentWork()
      alerts.count(routeOf(c), status >= 500, Date.now() - start, (promise) =>
        work ? work.waitUntil(promise) : c.executionCtx.waitUntil(promise),
      )
    }
  }
}

import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes, routePath } from 'hono/route'
import { isNews, statusOf } from '../core/index.ts'
import { currentCapture } from './capture.ts'

/**
 * The pattern of the route that answers: that of the handler Hono has come to, or, while that is only a middleware for
 * everything, of the last handler on the way that is for something.
 */
function routeOf(c: Context): string | undefined {
  const reached = routePath(c)
  if (reached !== '' && !reached.endsWith('*')) return reached
  return matchedRoutes(c).findLast(({ path }) => !path.endsWith('*'))?.path ?? (reached || undefined)
}

/**
 * Tells capture what only Hono knows: the route's pattern, and the error behind a reply. Mount it first, inside of
 * {@link withCapture}.
 */
export function captureMiddleware(): MiddlewareHandler {
  return async function captureMiddleware(c, next) {
    const capture = currentCapture()
    if (capture === undefined) return next()
    capture.route = () => routeOf(c)
    await next()
    // A try around next() would see nothing: Hono has turned the error into a reply by now.
    if (c.error === undefined) return undefined
    const status = statusOf(c.error)
    if (isNews(c.error) || (status < 500 && capture.tells(status))) capture.work.fail?.(c.error, 'handler')
    else capture.expected = true
    return undefined
  }
}

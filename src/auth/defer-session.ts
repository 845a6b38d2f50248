import type { Context, MiddlewareHandler } from 'hono'

const deferred = new WeakSet<Context>()

/**
 * For routes that find out by themselves who is asking, as those of `authRoutes` do where something changes: the
 * guard does not ask beforehand, and `user` and `session` are on the context only behind a `session()` of the route's
 * own. Put it before the guard. It spares a round trip to Redis where a revocation mark is written anyway. Reading
 * requests (GET, HEAD) are left as they are.
 *
 * @example app.use('/auth/*', deferSession()).use(guard({ limits, auth }))
 */
export function deferSession(): MiddlewareHandler {
  return async function deferSession(c, next) {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') deferred.add(c)
    await next()
  }
}

/** Whether the guard should leave this request to its route. */
export function isDeferred(c: Context): boolean {
  return deferred.has(c)
}

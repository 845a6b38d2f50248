import type { Context, Hono, Next } from 'hono'
import type { RouterRoute } from 'hono/types'
import { currentCapture } from './capture.ts'

type Handler = (c: Context, next: Next) => unknown
type Entry = readonly [handler: Handler, route: RouterRoute]

/**
 * Times every middleware and handler that is added to an app from now on, so that traces show each with what happened in
 * it. Call it on a new app, before its first `use`:
 *
 * ```ts
 * const app = traceRoutes(new Hono<AppEnv>()).use(captureMiddleware())
 * ```
 *
 * Middleware is named by its function's name. Outside of `withCapture` everything runs as it was written.
 * @returns the same app.
 */
// biome-ignore lint/suspicious/noExplicitAny: Hono's own constraint for "any environment".
export function traceRoutes<A extends Hono<any, any, any>>(app: A): A {
  const { router } = app
  const add = router.add.bind(router) as (method: string, path: string, entry: Entry) => void
  router.add = ((method: string, path: string, [handler, route]: Entry) => {
    // What is mounted at every method and a wildcard is a middleware; anything else answers.
    const op = route.method === 'ALL' && route.path.endsWith('*') ? 'middleware' : 'handler'
    const name = op === 'handler' ? `${route.method} ${route.path}` : handler.name || '(anonymous)'
    const timed: Handler = (c, next) => {
      const capture = currentCapture()
      return capture ? capture.within(op, name, () => handler(c, next)) : handler(c, next)
    }
    Object.defineProperty(timed, 'name', { value: handler.name })
    add(method, path, [timed, route])
  }) as typeof router.add
  return app
}

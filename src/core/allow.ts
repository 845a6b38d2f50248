import type { Context, Hono } from 'hono'
import { findTargetHandler } from 'hono/utils/handler'

/** The part of a Hono app that is looked at. */
export type RoutedApp = Pick<Hono, 'router' | 'routes'>

/**
 * The methods that the path of a request has routes for, for `Allow` (RFC 9110, section 10.2.1). Empty when it has none.
 *
 * Middleware is not a route: what is registered for all methods (`use`, `all`) does not count, nor does a function that
 * takes `next` on a pattern which ends in a wildcard, such as `app.get('*', cache())`.
 */
export function allowedMethods(app: RoutedApp, c: Context): string[] {
  const methods = new Set<string>()
  for (const { method } of app.routes) if (method !== 'ALL') methods.add(method)
  const allowed: string[] = []
  for (const method of methods) {
    const [matches] = app.router.match(method, c.req.path)
    const isRoute = matches.some(([[, route]]) => {
      if (route.method !== method) return false
      return !route.path.endsWith('*') || findTargetHandler(route.handler).length < 2
    })
    if (isRoute) allowed.push(method)
  }
  if (allowed.includes('GET') && !allowed.includes('HEAD')) allowed.push('HEAD')
  return allowed.sort()
}

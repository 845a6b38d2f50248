import type { MiddlewareHandler } from 'hono'
import { type AuthSource, internalsOf } from './auth.ts'
import { crossSiteRequest } from './errors.ts'

/**
 * Refuses what another site makes a browser send, by Fetch Metadata and, for older browsers, by Origin.
 * `SameSite=Lax` protects a session already; this also protects signing in, which needs none. Callers that are
 * no browsers send neither header and pass.
 */
export function sameOrigin(source: AuthSource): MiddlewareHandler {
  return async function sameOrigin(c, next) {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      const site = c.req.header('sec-fetch-site')
      const origin = c.req.header('origin')
      const { app, tokens } = internalsOf(source, c).config
      const ours = [app.origin, new URL(c.req.url).origin, ...(tokens?.origins ?? [])]
      const foreign = origin !== undefined && !ours.includes(origin)
      if (
        foreign ||
        (site !== undefined && site !== 'same-origin' && site !== 'none' && origin === undefined)
      ) {
        throw crossSiteRequest()
      }
    }
    await next()
  }
}

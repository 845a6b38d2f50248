import type { Context, MiddlewareHandler } from 'hono'
import { BreakwaterError } from '../core/errors.ts'
import { type Origins, trustedOrigins } from './origins.ts'

/** Options of {@link csrf}. */
export interface CsrfOptions {
  /** Other origins whose pages may send unsafe requests. Default none. */
  readonly origins?: Origins
  /** Also allow pages of the same site, such as another subdomain. Default false. */
  readonly sameSite?: boolean
  /** Requests that are not checked, such as a webhook that authenticates by signature. Default none. */
  readonly skip?: (c: Context) => boolean
}

/** Throws when a request was made by another site's page on the user's behalf. */
export type CsrfGuard = (c: Context) => void

/** The check behind {@link csrf}. */
export function csrfGuard(options: CsrfOptions = {}): CsrfGuard {
  const trusted = trustedOrigins(options.origins ?? [])
  return (c) => {
    const { method } = c.req
    // A WebSocket handshake is a GET that browsers send across sites, with cookies and without CORS.
    if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') {
      if (c.req.header('upgrade') === undefined) return
    }
    const site = c.req.header('sec-fetch-site')
    if (site === 'same-origin' || site === 'none') return
    const origin = c.req.header('origin')
    if (site === undefined) {
      // No browser of today. Older ones send Origin with every unsafe cross-origin request; others are no browsers.
      if (origin === undefined || origin === new URL(c.req.url).origin) return
    }
    if (site === 'same-site' && options.sameSite) return
    if (origin !== undefined && trusted(c)(origin)) return
    // Nothing here that a browser attaches by itself.
    if (isBearer(c.req.header('authorization')) && c.req.header('cookie') === undefined) return
    if (options.skip?.(c)) return
    throw new BreakwaterError('cross-site-request', {
      status: 403,
      detail: 'This request came from another site, which is not allowed.',
    })
  }
}

function isBearer(authorization: string | undefined): boolean {
  return authorization !== undefined && /^(?:Bearer|DPoP) /i.test(authorization)
}

/**
 * Refuses cross-site request forgery by Fetch Metadata (`Sec-Fetch-Site`) and, where a browser does not send it, by
 * `Origin`. Checks unsafe methods and WebSocket handshakes; needs no token. Exempt: requests that no browser made, and
 * requests with a bearer token and without cookies.
 * @throws TypeError when built with origins that cannot be trusted.
 */
export function csrf(options: CsrfOptions = {}): MiddlewareHandler {
  const guard = csrfGuard(options)
  return async function csrf(c, next): Promise<void> {
    guard(c)
    await next()
  }
}

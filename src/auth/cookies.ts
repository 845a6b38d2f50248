import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { parse } from 'hono/utils/cookie'
import { bearerOf } from './access-token.ts'
import type { AuthConfig } from './config.ts'
import type { Presented } from './identity.ts'

/** Marks a device that has signed in before; see `device-cookie.ts`. */
const DEVICE_COOKIE = '__Host-device'
const DEVICE_DAYS = 180

// __Host-: no other host can set or shadow it, and it never travels in clear (RFC 6265bis, section 4.1.3.2).
const attributes = { path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const

const cacheName = (config: AuthConfig) => `${config.cookieName}-cache`

/** What says who is asking. */
export function presented(c: Context, config: AuthConfig): Presented {
  const bearer = config.tokens && bearerOf(c.req.header('authorization'))
  const cookies = c.req.header('cookie')
  const known = cookies === undefined || bearer !== undefined ? undefined : config.genuine.get(cookies)
  if (known !== undefined) return known
  const read = (name: string): string | undefined => (cookies ? parse(cookies, name)[name] : undefined)
  return {
    session: read(config.cookieName),
    cache: config.cache && read(cacheName(config)),
    bearer,
    cookies,
  }
}

/** The device cookie a request came with. */
export function presentedDevice(c: Context): string | undefined {
  return getCookie(c, DEVICE_COOKIE)
}

/** Hands out a session. */
export function setSessionCookie(c: Context, config: AuthConfig, token: string): void {
  setCookie(c, config.cookieName, token, { ...attributes, maxAge: Math.floor(config.times.absolute / 1000) })
}

/** Hands out a signed cookie that stands in for the database for a while. */
export function setCacheCookie(c: Context, config: AuthConfig, value: string): void {
  const maxAge = Math.floor((config.cache?.maxAge ?? 0) / 1000)
  setCookie(c, cacheName(config), value, { ...attributes, maxAge })
}

/** Remembers that a device has signed in. */
export function setDeviceCookie(c: Context, value: string): void {
  setCookie(c, DEVICE_COOKIE, value, { ...attributes, maxAge: DEVICE_DAYS * 86_400 })
}

/** Takes the session back from the browser. */
export function clearSessionCookies(c: Context, config: AuthConfig): void {
  deleteCookie(c, config.cookieName, attributes)
  deleteCookie(c, cacheName(config), attributes)
}

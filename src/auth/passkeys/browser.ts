import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { fromBase64Url, toBase64Url } from '../../core/bytes.ts'
import { randomBytes } from '../../core/index.ts'
import type { Transport } from '../credential.ts'
import { CHALLENGE_MS } from './challenges.ts'

/** Ties the challenges of sign-ins to the browser that asked for them. Says nothing about anybody. */
const COOKIE = '__Host-passkey'
const NONCE_BYTES = 16

function presented(c: Context): string | undefined {
  const nonce = getCookie(c, COOKIE)
  return nonce !== undefined && fromBase64Url(nonce)?.length === NONCE_BYTES ? nonce : undefined
}

/**
 * What the challenge of a sign-in is bound to: the browser; or, where the session will travel by token and there are
 * no cookies, that it will. One browser keeps one nonce, so that two tabs do not spoil each other's.
 */
export function bindToBrowser(c: Context, transport: Transport): string {
  if (transport === 'token') return 'token'
  const nonce = presented(c) ?? toBase64Url(randomBytes(NONCE_BYTES))
  const maxAge = CHALLENGE_MS / 1000
  setCookie(c, COOKIE, nonce, { path: '/', secure: true, httpOnly: true, sameSite: 'Strict', maxAge })
  return `cookie\n${nonce}`
}

/** What the challenge of this request must be bound to. */
export function boundTo(c: Context, transport: Transport): string {
  return transport === 'token' ? 'token' : `cookie\n${presented(c) ?? ''}`
}

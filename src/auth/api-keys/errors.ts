import { BreakwaterError } from '../../core/index.ts'

/** 401 `unauthenticated`: the key is malformed, unknown, expired or revoked (RFC 6750, section 3.1). */
export function invalidKey(): BreakwaterError {
  return new BreakwaterError('unauthenticated', {
    status: 401,
    detail: 'This API key is not valid.',
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  })
}

/** 401 `unauthenticated`: neither a key nor a session. */
export function noKey(): BreakwaterError {
  return new BreakwaterError('unauthenticated', {
    status: 401,
    detail: 'Sign in, or send an API key.',
    headers: { 'WWW-Authenticate': 'Bearer' },
  })
}

/** 403 `forbidden`: the key lacks a scope (RFC 6750, section 3.1). */
export function insufficientScope(scopes: readonly string[]): BreakwaterError {
  const needed = scopes.join(' ')
  return new BreakwaterError('forbidden', {
    status: 403,
    detail: 'This API key may not do this.',
    headers: { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${needed}"` },
    extensions: { scope: needed },
  })
}

/** 403 `forbidden`: only a key may do this. */
export function keyRequired(): BreakwaterError {
  return new BreakwaterError('forbidden', { status: 403, detail: 'This takes an API key.' })
}

/** 409 `conflict`: somebody has as many keys as there may be. */
export function tooManyKeys(most: number): BreakwaterError {
  return new BreakwaterError('conflict', {
    status: 409,
    detail: `There may be ${most} API keys at a time. Revoke one first.`,
  })
}

/** 404 `not-found`. */
export function noSuchKey(): BreakwaterError {
  return new BreakwaterError('not-found', { status: 404, detail: 'There is no such API key.' })
}

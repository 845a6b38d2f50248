import { BreakwaterError, type FieldFault, type LimitDecision } from '../core/index.ts'
import { PASSWORD_ADVICE, type PasswordFault } from './password-policy.ts'

/** 401 `unauthenticated`: there is no live session. */
export function unauthenticated(): BreakwaterError {
  return new BreakwaterError('unauthenticated', { status: 401, detail: 'Sign in first.' })
}

/** 401 `invalid-credentials`: says the same for an unknown account and a wrong password. */
export function invalidCredentials(): BreakwaterError {
  return new BreakwaterError('invalid-credentials', {
    status: 401,
    detail: 'The mail address and the password do not belong together.',
  })
}

/** 401 `invalid-credentials`: the code of a second factor is wrong, or was used before. */
export function invalidCode(): BreakwaterError {
  return new BreakwaterError('invalid-credentials', {
    status: 401,
    detail: 'The code is wrong, too old or used already.',
  })
}

/** 403 `forbidden`: signed in, but not allowed to. */
export function forbidden(): BreakwaterError {
  return new BreakwaterError('forbidden', { status: 403, detail: 'You may not do this.' })
}

/** 403 `fresh-authentication-required`: signed in, but too long ago for what was asked. */
export function freshAuthenticationRequired(withinSeconds: number): BreakwaterError {
  return new BreakwaterError('fresh-authentication-required', {
    status: 403,
    detail: 'Sign in again before doing this.',
    extensions: { 'max-age': withinSeconds },
  })
}

/** 400 `invalid-token`: unknown, used, expired, or not a token at all. */
export function invalidToken(): BreakwaterError {
  return new BreakwaterError('invalid-token', {
    status: 400,
    detail: 'The link has been used already or is too old. Ask for a new one.',
  })
}

/** 422 `weak-password`, with the fault as extension member `fault`. */
export function weakPassword(fault: PasswordFault, pointer: string): BreakwaterError {
  const detail = PASSWORD_ADVICE[fault]
  return new BreakwaterError('weak-password', {
    status: 422,
    detail,
    fields: [{ pointer, detail }],
    extensions: { fault },
  })
}

/** 422 `validation-failed`. */
export function validationFailed(fields: readonly FieldFault[]): BreakwaterError {
  return new BreakwaterError('validation-failed', {
    status: 422,
    detail: 'Some fields are missing or malformed.',
    fields,
  })
}

/** 429 `quota-exceeded`, or 503 when nothing could be counted; with `Retry-After`. */
export function quotaExceeded(decision: LimitDecision): BreakwaterError {
  const headers = { 'Retry-After': String(Math.max(1, Math.ceil(decision.retryAfter))) }
  if (decision.unavailable === true) {
    return new BreakwaterError('dependency-unavailable', {
      status: 503,
      detail: 'This cannot be done safely at the moment. Try again shortly.',
      headers,
      report: false,
    })
  }
  return new BreakwaterError('quota-exceeded', {
    status: 429,
    detail: 'Too many attempts. Wait a while.',
    headers,
    extensions: { 'violated-policies': decision.violated },
  })
}

/** 503 `overloaded`: as many passwords are being hashed as this isolate can carry. */
export function overloaded(): BreakwaterError {
  return new BreakwaterError('overloaded', {
    status: 503,
    detail: 'Too many sign-ins at this moment. Try again shortly.',
    headers: { 'Retry-After': '2' },
    // Shedding is the design at work; a flood must not become a flood of reports as well.
    report: false,
  })
}

/** 503 `dependency-unavailable`: who is asking cannot be known just now. */
export function unavailable(cause: unknown): BreakwaterError {
  return new BreakwaterError('dependency-unavailable', {
    status: 503,
    detail: 'Sessions cannot be checked at this moment. Try again shortly.',
    headers: { 'Retry-After': '2' },
    cause,
  })
}

/** 403 `cross-site-request`. */
export function crossSiteRequest(): BreakwaterError {
  return new BreakwaterError('cross-site-request', {
    status: 403,
    detail: 'This request came from another site.',
  })
}

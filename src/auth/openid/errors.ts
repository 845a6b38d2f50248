import { BreakwaterError } from '../../core/index.ts'

/** 400 `invalid-token`: too late, in another browser, or answered already. */
export function startAgain(cause?: unknown): BreakwaterError {
  return new BreakwaterError('invalid-token', {
    status: 400,
    detail: 'This sign-in took too long, was begun elsewhere or is over already. Start again.',
    cause,
  })
}

/** 401 `invalid-credentials`: what the provider sent cannot be believed. */
export function notBelieved(cause: unknown): BreakwaterError {
  return new BreakwaterError('invalid-credentials', {
    status: 401,
    detail: 'What the sign-in service sent could not be verified.',
    cause,
  })
}

/** 403 `forbidden`: the person said no. */
export function calledOff(): BreakwaterError {
  return new BreakwaterError('forbidden', { status: 403, detail: 'The sign-in was called off.' })
}

/** 403 `forbidden`. */
export const noAccount = (detail: string): BreakwaterError =>
  new BreakwaterError('forbidden', { status: 403, detail })

/** 503 `dependency-unavailable`, with `Retry-After`. Passwords and passkeys go on working. */
export function providerDown(cause: unknown): BreakwaterError {
  return new BreakwaterError('dependency-unavailable', {
    status: 503,
    detail: 'The sign-in service does not answer at the moment. Try again shortly, or sign in another way.',
    headers: { 'Retry-After': '10' },
    cause,
  })
}

/** 500 `misconfigured`: the provider does not know this application, or not in this way. */
export function misconfigured(cause: unknown): BreakwaterError {
  return new BreakwaterError('misconfigured', {
    status: 500,
    detail: 'This way to sign in is not set up properly.',
    cause,
  })
}

/** 409 `conflict`. */
export const conflict = (detail: string): BreakwaterError =>
  new BreakwaterError('conflict', { status: 409, detail })

/** 404 `not-found`. */
export const notFound = (detail: string): BreakwaterError =>
  new BreakwaterError('not-found', { status: 404, detail })

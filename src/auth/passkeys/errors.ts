import { BreakwaterError } from '../../core/index.ts'
import { validationFailed } from '../errors.ts'

/** 400 `invalid-token`: the challenge is not ours, is too old, is somebody else's or was answered already. */
export function staleChallenge(): BreakwaterError {
  return new BreakwaterError('invalid-token', {
    status: 400,
    detail: 'This took too long, or was answered already. Start again.',
  })
}

/** 401 `invalid-credentials`: says the same for an unknown passkey and a wrong signature. */
export function refused(cause?: unknown): BreakwaterError {
  return new BreakwaterError('invalid-credentials', {
    status: 401,
    detail: 'This passkey was not accepted.',
    cause,
  })
}

/** 422 `validation-failed`: what the authenticator said of a new passkey is not as it must be. */
export function unusable(): BreakwaterError {
  return validationFailed([
    { pointer: '/credential', detail: 'must be a new passkey, made by a verified user' },
  ])
}

/** 409 `conflict`. */
export const conflict = (detail: string): BreakwaterError =>
  new BreakwaterError('conflict', { status: 409, detail })

/** 404 `not-found`. */
export const noSuchPasskey = (): BreakwaterError =>
  new BreakwaterError('not-found', { status: 404, detail: 'There is no such passkey.' })

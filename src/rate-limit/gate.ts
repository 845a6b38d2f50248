import type { Context } from 'hono'
import { BreakwaterError } from '../core/index.ts'
import type { Decision } from './decision.ts'

/**
 * Says of a request, before any limit is asked: `allow`: it is not limited; `deny`: it is refused (403); `challenge`: it
 * must prove itself first; undefined: the limits decide. `accessList` of `breakwater/rate-limit/access` makes one.
 */
export type Access = (c: Context) => 'allow' | 'deny' | 'challenge' | undefined

/** A way to let a request through that a limit refuses. `turnstile` of `breakwater/rate-limit/access` makes one. */
export interface Challenge {
  /** Whether the request carries proof. Asked at most once a request. */
  passed(c: Context): Promise<boolean>
  /** What a client is told to show: the member `challenge` of the problem document. */
  readonly demand: Readonly<Record<string, unknown>>
  /** Policies whose refusal a proof lifts. Default: the app-wide one. */
  readonly policies?: readonly string[]
}

/** The error that says no to whoever is on a deny list. */
export function denial(): BreakwaterError {
  return new BreakwaterError('forbidden', {
    status: 403,
    detail: 'Requests of this origin are not accepted.',
  })
}

/** The error that asks for proof, in the place of a refusal or of a denial. */
export function challengeRequired({ demand }: Challenge, decision?: Decision): BreakwaterError {
  return new BreakwaterError('challenge-required', {
    status: 403,
    detail: 'Solve the challenge and send the request again with its proof.',
    extensions: {
      challenge: demand,
      ...(decision && { 'violated-policies': decision.violated }),
    },
    // Waiting helps as well.
    ...(decision && { headers: { 'Retry-After': String(decision.retryAfter) } }),
  })
}

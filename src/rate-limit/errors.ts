import { BreakwaterError } from '../core/index.ts'
import type { Decision } from './decision.ts'
import { rateLimitFields } from './fields.ts'

/**
 * The error that says a decision's no: 429 `quota-exceeded`, or `abnormal-usage-detected` for a key under a
 * penalty, both with the member `violated-policies`; 503 `dependency-unavailable` when only an outage of the
 * store refuses. Carries `Retry-After` (RFC 9110, section 10.2.3) and the RateLimit fields.
 *
 * @param fields whether to carry the RateLimit fields. Default true.
 */
export function refusal(decision: Decision, fields = true): BreakwaterError {
  const headers = { 'Retry-After': String(decision.retryAfter), ...(fields && rateLimitFields([decision])) }
  if (decision.unavailable) {
    return new BreakwaterError('dependency-unavailable', {
      status: 503,
      detail: 'This cannot be done safely at the moment. Try again shortly.',
      headers,
      // Every request of the outage would be the same news; `onStoreFailure` tells it once a second.
      report: false,
    })
  }
  const penalized = decision.outcomes.some((outcome) => outcome.penalized && !outcome.policy.shadow)
  return new BreakwaterError(penalized ? 'abnormal-usage-detected' : 'quota-exceeded', {
    status: 429,
    detail: penalized
      ? 'Requests have been refused again and again, so further ones are blocked for a while.'
      : 'Too many requests. Try again later.',
    headers,
    extensions: { 'violated-policies': decision.violated },
  })
}

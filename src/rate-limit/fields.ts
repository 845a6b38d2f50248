import type { Decision, PolicyOutcome } from './decision.ts'
import { policyField } from './policy.ts'

function policyMember({ policy, quota }: PolicyOutcome): string {
  return quota === policy.quota
    ? policy.field
    : policyField(policy.name, policy.algorithm, quota, policy.window)
}

/** What is left of a policy, as a member of `RateLimit`. */
export function stateMember({ policy, remaining, reset }: PolicyOutcome): string {
  // Whoever was refused an expensive request may still have units for a cheap one, so `r` can be positive.
  // A slot that is free has no time at which it comes free.
  const time = reset > 0 || policy.algorithm !== 'concurrency' ? `;t=${reset}` : ''
  return `"${policy.name}";r=${remaining}${time}`
}

/**
 * The `RateLimit-Policy` and `RateLimit` fields of a reply (draft-ietf-httpapi-ratelimit-headers-11: lists of
 * Strings with parameters, RFC 9651). On a refusal `RateLimit` speaks only of the policies that refused, so that
 * `Retry-After` is never earlier than a `t` beside it. Shadow policies are not mentioned. A policy that
 * was asked about several keys is stated once, by the one that has least left.
 */
export function rateLimitFields(decisions: readonly Decision[]): Record<string, string> {
  const tightest = new Map<string, PolicyOutcome>()
  const refused = decisions.some(({ allowed }) => !allowed)
  for (const { outcomes } of decisions) {
    for (const outcome of outcomes) {
      if (outcome.policy.shadow) continue
      const other = tightest.get(outcome.policy.name)
      const tighter =
        other === undefined ||
        (outcome.allowed === other.allowed ? outcome.remaining < other.remaining : !outcome.allowed)
      if (tighter) tightest.set(outcome.policy.name, outcome)
    }
  }
  let members = ''
  let states = ''
  for (const outcome of tightest.values()) {
    members += (members && ', ') + policyMember(outcome)
    if (!refused || !outcome.allowed) states += (states && ', ') + stateMember(outcome)
  }
  const fields: Record<string, string> = {}
  if (members !== '') fields['RateLimit-Policy'] = members
  if (states !== '') fields['RateLimit'] = states
  return fields
}

import { Buffer } from 'node:buffer'
import { createHash, createHmac } from 'node:crypto'
import { BreakwaterError } from '../core/index.ts'
import type { FullCharge, RateLimitRequest } from './decision.ts'
import { type CompiledPolicy, compilePolicy, type Policies, units } from './policy.ts'
import { presets } from './presets.ts'
import { remembered } from './remembered.ts'

/** Turns requests into charges: finds policies, names keys. */
export interface Charging {
  /** @throws BreakwaterError `misconfigured` when there is none. */
  policy(name: string): CompiledPolicy
  charges(requests: readonly RateLimitRequest[]): FullCharge[]
}

/** A number for slots that nobody else will have. */
export function newLease(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number]
  return (high & 0x1fffff) * 2 ** 32 + low || 1
}

/** Names keys in the store: prefix, version, policy, form, hash; bounded whatever the key is. */
export function charging(
  policies: Policies | undefined,
  prefix: string,
  secret: string | undefined,
): Charging {
  const known = new Map<string, CompiledPolicy>()
  const bases = new Map<CompiledPolicy, string>()
  for (const [name, policy] of Object.entries({ ...presets, ...policies })) {
    const compiled = compilePolicy(name, policy)
    known.set(name, compiled)
    // The 1 is the version of the state's form. Another algorithm or window reads the same numbers otherwise.
    bases.set(compiled, `${prefix}:1:${name}:${compiled.algorithm[0]}${compiled.window}:`)
  }

  // 128 bits: no two keys meet, and the name in the store stays short.
  const hash = remembered((key: string) =>
    (secret === undefined ? createHash('sha256') : createHmac('sha256', secret))
      // UTF-8 makes one and the same of all lone surrogates. UTF-16 does not, and with a byte at its end that no UTF-8
      // ends in it cannot be taken for another key's.
      .update(key.isWellFormed() ? key : Buffer.from(`${key}\udc00`, 'utf16le'))
      .digest('base64url')
      .slice(0, 22),
  )

  function policy(name: string): CompiledPolicy {
    const found = known.get(name)
    if (found) return found
    throw new BreakwaterError('misconfigured', {
      status: 500,
      cause: new TypeError(`There is no rate limit policy "${name}"`),
    })
  }

  function charges(requests: readonly RateLimitRequest[]): FullCharge[] {
    const out: FullCharge[] = []
    for (const request of requests) {
      const found = policy(request.policy)
      const cost = units('Rate limit cost', request.cost ?? found.cost)
      const quota = units('Rate limit quota', request.quota ?? found.quota)
      const key = bases.get(found) + hash(request.key)
      // Asked twice for the same key, the store would see neither charge of the other.
      const at = out.findIndex((other) => other.key === key)
      const earlier = out[at]
      const charge: FullCharge = {
        policy: found,
        key,
        cost: cost + (earlier?.cost ?? 0),
        quota,
        burst:
          request.quota === undefined
            ? found.burst
            : Math.max(1, Math.round((found.burst * quota) / found.quota)),
        ...(found.algorithm === 'concurrency' && {
          lease: earlier?.lease ?? request.lease ?? newLease(),
        }),
      }
      if (earlier) out[at] = charge
      else out.push(charge)
    }
    return out
  }

  return { policy, charges }
}

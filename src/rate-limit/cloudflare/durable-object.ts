import type { Charge, Outcome, RateLimitStore, Rule } from '../stores/store.ts'
import type { RateLimitObject } from './object.ts'

/** Options of {@link durableObject}. */
export interface DurableObjectOptions {
  /**
   * The object that decides about these charges. All charges of a request are decided by one object, so a key must always
   * come to the same one: shard by what every key of a request has in common, such as the tenant. Default: one object
   * for all, which decides some hundreds of times a second.
   */
  readonly shard?: (charges: readonly Charge[]) => string
  /** Where an object is put when it is made, such as `weur`. Default: near whoever asks first. */
  readonly location?: DurableObjectLocationHint
}

/** A charge that can travel: a policy may hold functions, which cannot. */
function plain({ policy, ...charge }: Charge): Charge {
  const { name, algorithm, quota, window, penaltyAfter, penaltyCeiling, penaltyDecay, shadow } = policy
  const rule: Rule = { name, algorithm, quota, window, penaltyAfter, penaltyCeiling, penaltyDecay, shadow }
  return { ...charge, policy: rule }
}

/**
 * Counts in a Durable Object: exact everywhere in the world, by one clock, in one round trip, on Cloudflare alone.
 *
 * @param namespace the binding of the class {@link RateLimitObject}, or of one derived from it.
 */
export function durableObject<T extends RateLimitObject>(
  namespace: DurableObjectNamespace<T>,
  options: DurableObjectOptions = {},
): RateLimitStore {
  // What is called on it is the base class's, whatever the class is.
  const objects = namespace as unknown as DurableObjectNamespace<RateLimitObject>
  // Stubs belong to a request; naming one is cheap.
  const object = (charges: readonly Charge[]) =>
    objects.getByName(
      options.shard?.(charges) ?? 'rate-limit',
      options.location && { locationHint: options.location },
    )
  const ask = (mode: 'take' | 'peek' | 'refund' | 'block', charges: readonly Charge[], ms?: number) =>
    object(charges).decide(mode, charges.map(plain), ms) as Promise<Outcome[]>

  return {
    name: 'durable-object',
    take: (charges) => ask('take', charges),
    peek: (charges) => ask('peek', charges),
    async refund(charges) {
      await ask('refund', charges)
    },
    async block(charges, ms) {
      await ask('block', charges, ms)
    },
    async reset(charges) {
      await object(charges).forget(charges.map(({ key }) => key))
    },
  }
}

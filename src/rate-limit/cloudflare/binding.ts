import { memory } from '../stores/memory.ts'
import type { Charge, Outcome, RateLimitStore } from '../stores/store.ts'

/** Cloudflare's rate limiting binding (`[[ratelimits]]` in wrangler.toml). */
export interface NativeLimiter {
  limit(options: { key: string }): Promise<{ success: boolean }>
}

/** Options of {@link binding}. */
export interface BindingOptions {
  /** Where policies without a binding are counted. Default: in the isolate's memory alone. */
  readonly otherwise?: RateLimitStore
  /** Keys that the isolate keeps. Default 10,000. */
  readonly maxKeys?: number
}

// The binding tells no time; a refusal of its own is over after a period, ten seconds at least.
const LATER = 10_000

/**
 * Counts by Cloudflare's rate limiting binding: no round trip, no cost, per Cloudflare location. Each policy has a binding
 * of its own, whose `limit` and `period` (10 or 60 seconds) say what the policy's `quota` and `window` say.
 *
 * The binding only ever answers yes or no, so the isolate counts as well: what is left, when it is whole, penalties,
 * slots and blocks are the isolate's word, and the binding holds all isolates of a location together. It is lenient by
 * design: it knows no refund and no reset, spends a unit even where a further policy then refuses, and counts each location
 * for itself. For what must be exact use another store.
 *
 * @param bindings by the names of policies.
 * @example binding({ default: env.DEFAULT_LIMITER }, { otherwise: upstash(redis) })
 */
export function binding(
  bindings: Readonly<Record<string, NativeLimiter>>,
  options: BindingOptions = {},
): RateLimitStore {
  const isolate = memory(options.maxKeys === undefined ? {} : { maxKeys: options.maxKeys })
  const otherwise = options.otherwise
  const native = ({ policy }: Charge) =>
    Object.hasOwn(bindings, policy.name) ? bindings[policy.name] : undefined

  /** Charges by whom they are for. */
  function split(charges: readonly Charge[]): { here: Charge[]; there: Charge[] } {
    const here: Charge[] = []
    const there: Charge[] = []
    for (const charge of charges) (native(charge) || !otherwise ? here : there).push(charge)
    return { here, there }
  }

  async function both(
    charges: readonly Charge[],
    ask: (store: RateLimitStore, charges: readonly Charge[]) => Promise<unknown>,
  ): Promise<void> {
    const { here, there } = split(charges)
    await Promise.all([ask(isolate, here), otherwise && there.length > 0 ? ask(otherwise, there) : undefined])
  }

  async function ask(charges: readonly Charge[], mode: 'take' | 'peek'): Promise<readonly Outcome[]> {
    const { here, there } = split(charges)
    const refusing = (list: readonly Charge[], outcomes: readonly Outcome[]) =>
      list.some(({ policy }, i) => !policy.shadow && outcomes[i]?.allowed === false)
    // The isolate first: what it refuses by itself the binding need not be charged for.
    let ours = await isolate[mode](here)
    let theirs: readonly Outcome[] = []
    if (otherwise && there.length > 0) {
      const refused = refusing(here, ours)
      theirs = await (refused ? otherwise.peek(there) : otherwise[mode](there))
      if (mode === 'take' && !refused && refusing(there, theirs)) await isolate.refund(here)
    }
    if (mode === 'take' && !refusing(here, ours) && !refusing(there, theirs)) {
      const said = await Promise.all(here.map(spend))
      if (said.includes(false)) {
        ours = ours.map((outcome, i) =>
          said[i] ? outcome : { ...outcome, allowed: false, remaining: 0, reset: LATER, retry: LATER },
        )
        // The isolate's counts and those of the other store are whole again; the binding's are spent.
        if (refusing(here, ours)) await both(charges, (store, list) => store.refund(list))
      }
    }
    const answers = new Map<Charge, Outcome>()
    here.forEach((charge, i) => {
      answers.set(charge, ours[i] as Outcome)
    })
    there.forEach((charge, i) => {
      answers.set(charge, theirs[i] as Outcome)
    })
    return charges.map((charge) => answers.get(charge) as Outcome)
  }

  /** One unit is one call. */
  async function spend(charge: Charge): Promise<boolean> {
    const limiter = native(charge)
    // Of what is in flight, or of a cost that would be many calls, the isolate's word must do.
    if (!limiter || charge.policy.algorithm === 'concurrency' || charge.cost > 100) return true
    const calls = Array.from({ length: charge.cost }, () => limiter.limit({ key: charge.key }))
    return (await Promise.all(calls)).every(({ success }) => success)
  }

  return {
    name: 'binding',
    take: (charges) => ask(charges, 'take'),
    peek: (charges) => ask(charges, 'peek'),
    refund: (charges) => both(charges, (store, list) => store.refund(list)),
    reset: (charges) => both(charges, (store, list) => store.reset(list)),
    block: (charges, ms) => both(charges, (store, list) => store.block(list, ms)),
  }
}

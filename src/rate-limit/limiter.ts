import { createHash, createHmac } from 'node:crypto'
import {
  BreakwaterError,
  currentWork,
  type LimitDecision,
  type Limiter,
  type LimitRequest,
} from '../core/index.ts'
import { BlockedKeys } from './blocked.ts'
import { Breaker, within } from './deadline.ts'
import { joined } from './joined.ts'
import { type CompiledPolicy, compilePolicy, type Policies, units } from './policy.ts'
import { presets } from './presets.ts'
import { remembered } from './remembered.ts'
import { memory } from './stores/memory.ts'
import type { Charge, Outcome, RateLimitStore } from './stores/store.ts'

/** Options of {@link createLimiter}. */
export interface LimiterOptions {
  /** Where the counts live: `upstash(redis)` or `memory()`. */
  readonly store: RateLimitStore
  /** Policies beside, or instead of, the {@link presets}. */
  readonly policies?: Policies
  /** Milliseconds that the store may take before each policy's `onStoreFailure` decides. Default 150. */
  readonly timeout?: number
  /** Begins every key in the store. Default `bw:rl`. */
  readonly prefix?: string
  /**
   * Keys the hash of addresses and accounts, so that whoever reads the store cannot find them by trying all.
   * Changing it forgets all counts. Default: an unkeyed hash.
   */
  readonly secret?: string
  /** Blocked keys that the isolate remembers, to refuse them without a round trip. Default 5,000; 0: none. */
  readonly maxBlocked?: number
  /** Told when the store fails or is too slow, at most once a second. For logs and alerts. */
  readonly onStoreFailure?: (error: unknown) => void
}

/** One thing to ask. */
export interface RateLimitRequest extends LimitRequest {
  /** Units per window for this request instead of the policy's own, for example by the caller's plan. */
  readonly quota?: number
}

/** What one policy said. */
export interface PolicyOutcome {
  readonly policy: CompiledPolicy
  readonly quota: number
  readonly allowed: boolean
  /** Units left. */
  readonly remaining: number
  /** Seconds until the quota is whole again, or, after a refusal, until a retry can succeed. */
  readonly reset: number
  /** Seconds until a retry of the same cost can succeed; 0 when allowed. */
  readonly retryAfter: number
  /** Whether the key is under a penalty. */
  readonly penalized: boolean
}

/** What the limiter decided, with each policy's own word. */
export interface Decision extends LimitDecision {
  /**
   * One for each request, in order. Policies that nobody counted (open in an outage) are not among them; a
   * refusal known without asking lists only the policies that refuse.
   */
  readonly outcomes: readonly PolicyOutcome[]
  /** Shadow policies that would have refused. */
  readonly shadowed: readonly string[]
  /** Who decided: the store, this isolate's memory of blocked keys, or each policy's word for an outage. */
  readonly by: 'store' | 'isolate' | 'outage'
  /** Refused only because the store is out and a policy is `closed` then. */
  readonly unavailable: boolean
}

/** A limiter with more to say than core's {@link Limiter} asks for. */
export interface RateLimiter extends Limiter {
  check(requests: readonly RateLimitRequest[]): Promise<Decision>
  /** What {@link check} would say, charging nothing. Fails when the store does. */
  peek(requests: readonly RateLimitRequest[]): Promise<Decision>
  /** Gives back what a check took. Never fails: what the store does not hear of stays spent. */
  refund(requests: readonly RateLimitRequest[]): Promise<void>
  /** Forgets keys, penalties too: for support, after the right person was locked out. */
  reset(requests: readonly RateLimitRequest[]): Promise<void>
  /** What the isolate knows by itself, asking and charging nobody: a refusal, or an allowance without outcomes. */
  known(requests: readonly RateLimitRequest[]): Decision
  /** A policy by name. @throws BreakwaterError `misconfigured` when there is none. */
  policy(name: string): CompiledPolicy
}

const seconds = (ms: number) => Math.ceil(ms / 1000)

/**
 * Makes a limiter. Stateless but for what an isolate may forget, so it may live at module scope.
 * @throws TypeError when a policy is wrong.
 */
export function createLimiter(options: LimiterOptions): RateLimiter {
  const { store, timeout = 150, prefix = 'bw:rl', secret, maxBlocked = 5000 } = options
  if (!(timeout > 0)) throw new TypeError('Rate limiter: timeout must be positive')
  if (secret === '') throw new TypeError('Rate limiter: secret is empty')
  const policies = new Map<string, CompiledPolicy>()
  const bases = new Map<CompiledPolicy, string>()
  for (const [name, policy] of Object.entries({ ...presets, ...options.policies })) {
    const compiled = compilePolicy(name, policy)
    policies.set(name, compiled)
    // The 1 is the version of the state's form. Another algorithm or window reads the same numbers otherwise.
    bases.set(compiled, `${prefix}:1:${name}:${compiled.algorithm[0]}${compiled.window}:`)
  }
  const local = memory()
  const blocked = new BlockedKeys(Math.max(1, maxBlocked))
  const breaker = new Breaker()
  let told = 0

  // 128 bits: no two keys meet, and the name in the store stays short.
  const hash = remembered((key: string) =>
    (secret === undefined ? createHash('sha256') : createHmac('sha256', secret))
      .update(key)
      .digest('base64url')
      .slice(0, 22),
  )

  function policy(name: string): CompiledPolicy {
    const found = policies.get(name)
    if (found) return found
    throw new BreakwaterError('misconfigured', {
      status: 500,
      cause: new TypeError(`There is no rate limit policy "${name}"`),
    })
  }

  function charges(requests: readonly RateLimitRequest[]): Charge[] {
    const out = new Map<string, Charge>()
    let last: { key: string; hashed: string } | undefined
    for (const request of requests) {
      const found = policy(request.policy)
      const cost = request.cost ?? found.cost
      const quota = request.quota ?? found.quota
      units('Rate limit cost', cost)
      units('Rate limit quota', quota)
      // Usually the same address goes to every policy of a request: hash it once.
      if (last?.key !== request.key) last = { key: request.key, hashed: hash(request.key) }
      const key = bases.get(found) + last.hashed
      const earlier = out.get(key)
      // Asked twice for the same key, the store would see neither charge of the other.
      out.set(key, {
        policy: found,
        key,
        cost: cost + (earlier?.cost ?? 0),
        quota,
        burst:
          request.quota === undefined
            ? found.burst
            : Math.max(1, Math.round((found.burst * quota) / found.quota)),
      })
    }
    return [...out.values()]
  }

  function decision(list: readonly Charge[], outcomes: readonly Outcome[], by: Decision['by']): Decision {
    const violated: string[] = []
    const shadowed: string[] = []
    let retry = 0
    const said = list.map((charge, i): PolicyOutcome => {
      const outcome = outcomes[i] as Outcome
      const name = charge.policy.name
      if (!outcome.allowed) {
        const names = charge.policy.shadow ? shadowed : violated
        if (!names.includes(name)) names.push(name)
        if (!charge.policy.shadow) retry = Math.max(retry, outcome.retry, 1)
      }
      return {
        policy: charge.policy,
        quota: charge.quota,
        allowed: outcome.allowed,
        remaining: outcome.remaining,
        reset: seconds(outcome.reset),
        retryAfter: seconds(outcome.retry),
        penalized: outcome.penalized,
      }
    })
    return {
      allowed: violated.length === 0,
      retryAfter: seconds(retry),
      violated,
      outcomes: said,
      shadowed,
      by,
      unavailable: false,
    }
  }

  /** What the isolate knows by itself: keys that cannot succeed yet. */
  function refusedHere(list: readonly Charge[], now: number): Decision | undefined {
    const refusing: Charge[] = []
    const outcomes: Outcome[] = []
    for (const charge of list) {
      const block = charge.policy.shadow ? undefined : blocked.get(charge.key, now)
      if (block === undefined) continue
      const left = block.until - now
      refusing.push(charge)
      outcomes.push({
        allowed: false,
        remaining: 0,
        reset: left,
        retry: left,
        block: left,
        penalized: block.penalized,
      })
    }
    return refusing.length === 0 ? undefined : decision(refusing, outcomes, 'isolate')
  }

  /** Each policy's word for an outage. */
  async function inOutage(list: readonly Charge[]): Promise<Decision> {
    const closed = list.filter(({ policy }) => policy.onStoreFailure === 'closed' && !policy.shadow)
    if (closed.length > 0) {
      const violated = [...new Set(closed.map(({ policy }) => policy.name))]
      return {
        allowed: false,
        retryAfter: 1,
        violated,
        outcomes: [],
        shadowed: [],
        by: 'outage',
        unavailable: true,
      }
    }
    const counted = list.filter(({ policy }) => policy.onStoreFailure === 'local')
    return decision(counted, await local.take(counted), 'outage')
  }

  function fail(error: unknown, now: number): void {
    breaker.failed(now)
    if (now - told < 1000) return
    told = now
    try {
      options.onStoreFailure?.(error)
    } catch {
      // A broken observer must not turn an outage of the store into one of the site.
    }
  }

  async function take(list: readonly Charge[]): Promise<Decision> {
    if (list.length === 0) return decision([], [], 'store')
    const now = Date.now()
    const known = refusedHere(list, now)
    if (known) return known
    if (!breaker.allows(now)) return inOutage(list)
    let outcomes: readonly Outcome[]
    try {
      outcomes = await within(store.take(list), timeout)
      breaker.succeeded()
    } catch (error) {
      fail(error, Date.now())
      return inOutage(list)
    }
    if (maxBlocked > 0) {
      const then = Date.now()
      outcomes.forEach(({ block, penalized }, i) => {
        if (block > 0) blocked.set((list[i] as Charge).key, { until: then + block, penalized })
      })
    }
    return decision(list, outcomes, 'store')
  }

  const limiter: RateLimiter = {
    policy,
    async check(requests) {
      const work = currentWork()
      const waiting = work && joined.take(work, limiter)
      if (waiting === undefined) return take(charges(requests))
      const decided = await take(charges([...waiting.requests, ...requests]))
      waiting.decided(decided)
      return decided
    },
    known(requests) {
      return refusedHere(charges(requests), Date.now()) ?? decision([], [], 'isolate')
    },
    async peek(requests) {
      const list = charges(requests)
      return decision(list, await within(store.peek(list), timeout), 'store')
    },
    async refund(requests) {
      const list = charges(requests)
      for (const { key } of list) blocked.delete(key)
      // Whoever gives back has done what was asked of him: a store that is out must not undo that.
      await local.refund(list)
      await within(store.refund(list), timeout).catch((error) => fail(error, Date.now()))
    },
    async reset(requests) {
      const list = charges(requests)
      for (const { key } of list) blocked.delete(key)
      await Promise.all([local.reset(list), store.reset(list)])
    },
  }
  return limiter
}

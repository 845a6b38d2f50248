import { currentWork, type Duration, type Limiter, milliseconds } from '../core/index.ts'
import { BlockedKeys } from './blocked.ts'
import { charging } from './charges.ts'
import { Breaker, within } from './deadline.ts'
import { type Decision, decisionOf, type FullCharge, type RateLimitRequest } from './decision.ts'
import { joined } from './joined.ts'
import type { LimiterOptions } from './options.ts'
import type { CompiledPolicy } from './policy.ts'
import { memory } from './stores/memory.ts'
import type { Outcome } from './stores/store.ts'

/** A limiter with more to say than core's {@link Limiter} asks for. */
export interface RateLimiter extends Limiter {
  check(requests: readonly RateLimitRequest[]): Promise<Decision>
  /** What {@link check} would say, charging nothing: for inspection. Fails when the store does. */
  peek(requests: readonly RateLimitRequest[]): Promise<Decision>
  /** Gives back what a check took. Never fails: what the store does not hear of stays spent. */
  refund(requests: readonly RateLimitRequest[]): Promise<void>
  /** Forgets keys, penalties too: for support, after the right person was locked out. */
  reset(requests: readonly RateLimitRequest[]): Promise<void>
  /**
   * Blocks keys by hand: they are refused as abnormal usage until it ends. Here at once, in other isolates when
   * they next ask the store. Fails when the store does.
   */
  block(requests: readonly RateLimitRequest[], duration: Duration): Promise<void>
  /** Ends blocks and forgives what led to them; quotas stay spent. Known to every isolate within a minute. */
  unblock(requests: readonly RateLimitRequest[]): Promise<void>
  /** What the isolate knows by itself, asking and charging nobody: a refusal, or an allowance without outcomes. */
  known(requests: readonly RateLimitRequest[]): Decision
  /** A policy by name. @throws BreakwaterError `misconfigured` when there is none. */
  policy(name: string): CompiledPolicy
}

const QUIET = 60_000

/**
 * Makes a limiter. Stateless but for what an isolate may forget, so it may live at module scope.
 * @throws TypeError when a policy is wrong.
 */
export function createLimiter(options: LimiterOptions): RateLimiter {
  const { store, timeout = 150, prefix = 'bw:rl', secret, maxBlocked = 5000, localShare = 0.5 } = options
  if (!(timeout > 0)) throw new TypeError('Rate limiter: timeout must be positive')
  if (!(localShare > 0 && localShare <= 1))
    throw new TypeError('Rate limiter: localShare must be above 0, up to 1')
  if (secret === '') throw new TypeError('Rate limiter: secret is empty')
  const { policy, charges } = charging(options.policies, prefix, secret)
  const local = memory()
  const blocked = new BlockedKeys(maxBlocked)
  const breaker = new Breaker()
  /** When an outage was last told of, and whether there is one. */
  let lastTold = -Infinity
  let out = false

  /** An observer that fails must not turn a refusal, or an outage of the store, into one of the site. */
  function tell<T>(observer: ((about: T) => void) | undefined, about: T): void {
    try {
      observer?.(about)
    } catch {}
  }

  /** What the isolate knows by itself: keys that cannot succeed yet. */
  function refusedHere(list: readonly FullCharge[], now: number): Decision | undefined {
    if (blocked.empty) return undefined
    const refusing: FullCharge[] = []
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
    return refusing.length === 0 ? undefined : decisionOf(refusing, outcomes, 'isolate')
  }

  /** Each policy's word for an outage. */
  async function inOutage(list: readonly FullCharge[]): Promise<Decision> {
    const closed = list.filter(({ policy }) => policy.onStoreFailure === 'closed' && !policy.shadow)
    if (closed.length > 0) {
      const violated = [...new Set(closed.map(({ policy }) => policy.name))]
      return { ...decisionOf([], [], 'outage'), allowed: false, retryAfter: 1, violated, unavailable: true }
    }
    const counted = list
      .filter(({ policy }) => policy.onStoreFailure === 'local')
      .map((charge) => ({
        ...charge,
        quota: Math.max(charge.cost, Math.ceil(charge.quota * localShare)),
        burst: Math.max(charge.cost, Math.ceil(charge.burst * localShare)),
      }))
    return decisionOf(counted, await local.take(counted), 'outage')
  }

  function fail(error: unknown, now: number): void {
    breaker.failed(now)
    if (out) return
    out = true
    if (now - lastTold < QUIET) return
    lastTold = now
    tell(options.onStoreFailure, error)
  }

  /** Tells of a decision by which somebody was, or would have been, refused. */
  function told(decision: Decision): Decision {
    if (decision.violated.length + decision.shadowed.length > 0) tell(options.onViolation, decision)
    return decision
  }

  async function take(list: readonly FullCharge[]): Promise<Decision> {
    if (list.length === 0) return decisionOf([], [], 'store')
    const now = Date.now()
    const known = refusedHere(list, now)
    if (known) return told(known)
    if (!breaker.allows(now)) return told(await inOutage(list))
    let outcomes: readonly Outcome[]
    try {
      outcomes = await within(store.take(list), timeout)
      breaker.succeeded()
      out = false
    } catch (error) {
      fail(error, Date.now())
      return told(await inOutage(list))
    }
    outcomes.forEach(({ block, penalized }, i) => {
      if (block <= 0) return
      const then = Date.now()
      blocked.set((list[i] as FullCharge).key, { until: then + block, penalized }, then)
    })
    return told(decisionOf(list, outcomes, 'store'))
  }

  /** Charges whose keys the isolate no longer takes for blocked. */
  function forget(requests: readonly RateLimitRequest[]): FullCharge[] {
    const list = charges(requests)
    for (const { key } of list) blocked.delete(key)
    return list
  }

  const limiter: RateLimiter = {
    policy,
    async check(requests) {
      const work = currentWork()
      const waiting = work && joined.take(work, limiter)
      const decided = await take(charges(waiting ? [...waiting.requests, ...requests] : requests))
      waiting?.decided(decided)
      return decided
    },
    known(requests) {
      return refusedHere(charges(requests), Date.now()) ?? decisionOf([], [], 'isolate')
    },
    async peek(requests) {
      const list = charges(requests)
      return decisionOf(list, await within(store.peek(list), timeout), 'store')
    },
    async refund(requests) {
      const list = forget(requests)
      // Whoever gives back has done what was asked of him: a store that is out must not undo that.
      await local.refund(list)
      await within(store.refund(list), timeout).catch((error) => fail(error, Date.now()))
    },
    async reset(requests) {
      const list = forget(requests)
      await Promise.all([local.reset(list), store.reset(list)])
    },
    async block(requests, duration) {
      const list = charges(requests)
      const ms = milliseconds(duration)
      if (!(Number.isSafeInteger(ms) && ms > 0))
        throw new TypeError('Rate limiter: a block lasts some milliseconds')
      const now = Date.now()
      for (const { key } of list) blocked.set(key, { until: now + ms, penalized: true }, now)
      await Promise.all([local.block(list, ms), store.block(list, ms)])
    },
    async unblock(requests) {
      const list = forget(requests)
      await Promise.all([local.block(list, 0), store.block(list, 0)])
    },
  }
  return limiter
}

import type { Context } from 'hono'
import { setHeader } from '../core/headers.ts'
import { currentWork } from '../core/index.ts'
import { byAddress } from './address.ts'
import { newLease } from './charges.ts'
import type { Decision, RateLimitRequest } from './decision.ts'
import { refusal } from './errors.ts'
import { rateLimitFields, stateMember } from './fields.ts'
import { type Challenge, challengeRequired } from './gate.ts'
import { joined } from './joined.ts'
import type { RateLimiter } from './limiter.ts'
import type { Requirement } from './requirement.ts'

/** A request's limits. */
export interface RequestLimits {
  readonly limiter: RateLimiter
  /** Decisions so far, the app-wide one first. */
  readonly decisions: readonly Decision[]
}

/** What one `rateLimit()` knows of one request. */
export class State implements RequestLimits {
  readonly limiter: RateLimiter
  readonly decisions: Decision[]
  readonly headers: boolean
  readonly challenge: Challenge | undefined
  /** Handlers whose requirement an app-wide check has decided. */
  readonly done: Set<unknown>
  started: Promise<Decision> | undefined
  /** What `started` asks. */
  asked: readonly RateLimitRequest[] = []
  /** Whether a middleware has the decision of `started`. */
  taken = false
  /** Not limited at all. */
  off = false
  /** Charges left for a later check. */
  waiting: readonly RateLimitRequest[] | undefined
  /** Slots to give back when the reply has been sent. */
  held: RateLimitRequest[] = []
  #proven: Promise<boolean> | undefined

  /** @param earlier that of a `rateLimit` before this one on the way: what it decided stays decided. */
  constructor(
    limiter: RateLimiter,
    headers: boolean,
    challenge: Challenge | undefined,
    earlier: State | undefined,
  ) {
    this.limiter = limiter
    this.headers = headers
    this.challenge = challenge
    this.decisions = earlier ? [...earlier.decisions] : []
    this.done = earlier?.done ?? new Set()
  }

  /** Takes note of a decision. */
  note(decision: Decision, requests: readonly RateLimitRequest[]): void {
    this.decisions.push(decision)
    tell(decision)
    if (!decision.allowed) return
    for (const request of requests) if (request.lease !== undefined) this.held.push(request)
  }

  /** Whether the request carries the proof that the challenge asks for. */
  proven(c: Context): Promise<boolean> {
    this.#proven ??= this.challenge?.passed(c) ?? Promise.resolve(false)
    return this.#proven
  }

  /**
   * Lets the request pass or throws the refusal. Where a proof lifts the refusal, the other policies are asked again
   * without the ones it lifts, since a refusal has charged none of them.
   */
  settle(c: Context, decision: Decision, requests: readonly RateLimitRequest[]): Promise<void> | undefined {
    if (!decision.allowed) return this.#contest(c, decision, requests)
    this.note(decision, requests)
    return undefined
  }

  async #contest(c: Context, decision: Decision, requests: readonly RateLimitRequest[]): Promise<void> {
    const { challenge } = this
    let said = decision
    let left = requests
    while (!said.allowed && challenge && !said.unavailable) {
      const { violated } = said
      if (!violated.every((name) => challenge.policies?.includes(name))) break
      if (!(await this.proven(c))) {
        this.note(said, [])
        throw challengeRequired(challenge, said)
      }
      left = left.filter(({ policy }) => !violated.includes(policy))
      said = await this.limiter.check(left)
    }
    this.note(said, left)
    if (!said.allowed) throw refusal(said, this.headers)
  }

  /** Gives back the slots of `concurrency` policies. */
  release(c: Context): void {
    const { held } = this
    if (held.length === 0) return
    this.held = []
    behind(c, this.limiter.refund(held))
  }

  /** Charges what waited for a check that never came. */
  settleWaiting(c: Context): void {
    if (this.waiting === undefined) return
    const work = currentWork()
    const requests = work ? joined.take(work, this.limiter)?.requests : this.waiting
    this.waiting = undefined
    if (requests !== undefined) behind(c, this.limiter.check(requests))
  }

  /** Puts the RateLimit fields on the reply. */
  setFields(c: Context): void {
    const fields = rateLimitFields(this.decisions)
    for (const name in fields) setHeader(c, name, fields[name] as string)
  }
}

/** Leaves with the work how near its limits it is, for what may be told of it later. */
function tell({ outcomes }: Decision): void {
  const facts = currentWork()?.facts
  if (facts === undefined || outcomes.length === 0) return
  const said = outcomes.map(stateMember).join(', ')
  const before = facts.get('rateLimit')
  facts.set('rateLimit', before === undefined ? said : `${before}, ${said}`)
}

/** Lets something end after the reply. */
function behind(c: Context, promise: Promise<unknown>): void {
  const settled = promise.catch(() => {})
  const work = currentWork()
  try {
    if (work) work.waitUntil(settled)
    else c.executionCtx.waitUntil(settled)
  } catch {
    // No execution context outside of Workers, where nothing cuts the promise off either.
  }
}

/** The limits of a request, if `rateLimit()` is on its way. */
export function stateOf(c: Context): State | undefined {
  const state: unknown = c.get('rateLimit')
  return state instanceof State ? state : undefined
}

/** A value, or a promise of one where something had to be waited for. */
export type MaybePromise<T> = T | Promise<T>

/** What to ask the limiter for a request. */
export function requestFor(
  limiter: RateLimiter,
  c: Context,
  name: string,
  options: Partial<Pick<Requirement, 'key' | 'cost' | 'quota'>>,
): MaybePromise<RateLimitRequest> {
  const policy = limiter.policy(name)
  const cost = typeof options.cost === 'function' ? options.cost(c) : options.cost
  const quota = options.quota?.(c)
  const finish = (given: string | undefined): RateLimitRequest => {
    const request: { -readonly [K in keyof RateLimitRequest]: RateLimitRequest[K] } = {
      policy: name,
      key: given || byAddress(c),
    }
    if (cost !== undefined) request.cost = cost
    if (quota !== undefined) request.quota = quota
    if (policy.algorithm === 'concurrency') request.lease = newLease()
    return request
  }
  const keyOf = options.key ?? policy.key
  if (keyOf === 'ip') return finish(undefined)
  const key = keyOf(c)
  // Staying in the tick when nothing has to be waited for is what lets the check share a round trip.
  return key instanceof Promise ? key.then(finish) : finish(key)
}

import type { Context } from 'hono'
import { type Duration, milliseconds } from '../core/index.ts'

/**
 * How a quota is counted.
 *
 * - `fixed-window`: a window opens with a key's first request and everything is forgotten when it ends.
 *   Cheapest to reason about; lets through up to twice the quota around the end of a window.
 * - `sliding-window`: the previous window still counts, weighted by how much of it the last `window` covers.
 *   No burst at the seam; an approximation that assumes the previous window's requests were evenly spread.
 * - `token-bucket`: `quota` tokens per `window` trickle in, at most `burst` are held (GCRA inside, exact to a
 *   microsecond). For steady senders that are allowed a burst.
 * - `concurrency`: at most `quota` in flight at once. Whoever is done gives the slot back (`limit()` does so when the
 *   reply has been sent); what an isolate that died still held comes free after `window`, so make that longer than the
 *   longest request.
 */
export type Algorithm = 'fixed-window' | 'sliding-window' | 'token-bucket' | 'concurrency'

/**
 * What a policy says when its store is slow or out.
 *
 * - `open`: let it pass, uncounted.
 * - `closed`: refuse with 503; for what costs money or guards what must not be tried unmetered.
 * - `local`: count in this isolate's memory until the store is back; more generous than the real quota, since
 *   every isolate counts for itself, but never unlimited.
 */
export type StoreFailure = 'open' | 'closed' | 'local'

/** What happens to a key that keeps violating its policy. */
export interface Penalty {
  /** Refusals before the key is blocked outright. Default 1: the first refusal blocks. */
  readonly after?: number
  /** A block lasts one window, then two, four … but never longer than this. Default `'1 h'`. */
  readonly ceiling?: Duration
  /** Without a violation for this long, one doubling is forgotten. Default: the ceiling. */
  readonly decay?: Duration
}

/** Names the spender of a request; undefined falls back to the caller's address. May read the body. */
export type KeyOf = (c: Context) => string | undefined | Promise<string | undefined>

/** One rule: who may spend how much in how long. */
export interface Policy {
  /** Units a key may spend per window. A positive integer. */
  readonly quota: number
  /**
   * Length of the window; at least a second, since `RateLimit-Policy` speaks of seconds. For `concurrency`, how long a
   * slot is held at most.
   */
  readonly window: Duration
  /** Default `sliding-window`. */
  readonly algorithm?: Algorithm
  /** `token-bucket` only: tokens that a rested key holds. Default: the quota. */
  readonly burst?: number
  /** Units a request spends unless it says otherwise. Default 1. */
  readonly cost?: number
  /** Whose quota it is. Default `'ip'`: the caller's address, an IPv6 one by its /64. */
  readonly key?: 'ip' | KeyOf
  /** Default `local`. */
  readonly onStoreFailure?: StoreFailure
  /** Growing blocks for keys that keep violating. Default: none. */
  readonly penalty?: Penalty
  /** Counts and reports, but never refuses: to try a policy on real traffic. Default false. */
  readonly shadow?: boolean
}

/** Policies by name. A name is 1 to 64 letters, digits, `.`, `_` or `-`: it travels in header fields. */
export type Policies = Readonly<Record<string, Policy>>

/** A policy with every default filled in and every duration in milliseconds. */
export interface CompiledPolicy {
  readonly name: string
  readonly algorithm: Algorithm
  readonly quota: number
  readonly window: number
  readonly burst: number
  readonly cost: number
  readonly key: 'ip' | KeyOf
  readonly onStoreFailure: StoreFailure
  /** Refusals before a block; 0 for a policy without a penalty. */
  readonly penaltyAfter: number
  readonly penaltyCeiling: number
  readonly penaltyDecay: number
  readonly shadow: boolean
  /** Its member of the `RateLimit-Policy` field. */
  readonly field: string
}

const ALGORITHMS: readonly string[] = ['fixed-window', 'sliding-window', 'token-bucket', 'concurrency']
const FAILURES: readonly string[] = ['open', 'closed', 'local']

/** A member of `RateLimit-Policy` (draft 11): a quota by time, or one of what is in flight, which has no window. */
export function policyField(name: string, algorithm: Algorithm, quota: number, window: number): string {
  return `"${name}";q=${quota};${algorithm === 'concurrency' ? 'qu="concurrent-requests"' : `w=${Math.ceil(window / 1000)}`}`
}

/** @throws TypeError when it is no number of units */
export function units(what: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new TypeError(`${what} must be a positive integer`)
}

/**
 * Fills in and checks a policy.
 * @throws TypeError that says which policy and what is wrong with it.
 */
export function compilePolicy(name: string, policy: Policy): CompiledPolicy {
  const here = `Rate limit policy "${name}": `
  const wrong = (what: string) => new TypeError(here + what)
  const length = (option: string, value: Duration) => {
    const ms = milliseconds(value)
    if (!Number.isInteger(ms) || ms < 1000) throw wrong(`${option} must be at least a second`)
    // Past this the token bucket's microseconds would leave the integers that Lua and JavaScript share.
    if (ms > 400 * 86_400_000) throw wrong(`${option} must be at most 400 days`)
    return ms
  }
  if (!/^[\w.-]{1,64}$/.test(name)) throw wrong('the name must be 1 to 64 letters, digits, ".", "_" or "-"')
  const algorithm = policy.algorithm ?? 'sliding-window'
  if (!ALGORITHMS.includes(algorithm)) throw wrong(`algorithm must be one of ${ALGORITHMS.join(', ')}`)
  const onStoreFailure = policy.onStoreFailure ?? 'local'
  if (!FAILURES.includes(onStoreFailure)) throw wrong(`onStoreFailure must be one of ${FAILURES.join(', ')}`)
  if (policy.burst !== undefined && algorithm !== 'token-bucket')
    throw wrong('only a token bucket has a burst')
  const quota = units(`${here}quota`, policy.quota)
  // Every slot is two words in the key's state, read and written with each request.
  if (algorithm === 'concurrency' && quota > 250) throw wrong('at most 250 can be counted in flight')
  const burst = units(`${here}burst`, policy.burst ?? quota)
  const cost = units(`${here}cost`, policy.cost ?? 1)
  if (cost > burst) throw wrong('cost is more than the quota can ever give')
  const window = length('window', policy.window)
  const ceiling = length('penalty.ceiling', policy.penalty?.ceiling ?? '1 h')
  return {
    name,
    algorithm,
    quota,
    window,
    burst,
    cost,
    key: policy.key ?? 'ip',
    onStoreFailure,
    penaltyAfter: policy.penalty === undefined ? 0 : units(`${here}penalty.after`, policy.penalty.after ?? 1),
    penaltyCeiling: ceiling,
    penaltyDecay: length('penalty.decay', policy.penalty?.decay ?? ceiling),
    shadow: policy.shadow ?? false,
    field: policyField(name, algorithm, quota, window),
  }
}

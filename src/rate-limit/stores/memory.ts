import type { State } from '../algorithm.ts'
import { units } from '../policy.ts'
import { decide, type Shelf } from './decide.ts'
import type { RateLimitStore } from './store.ts'

/** Options of {@link memory}. */
export interface MemoryOptions {
  /** Keys kept at most; the longest untouched go first. Default 10,000 (some 2 MB). */
  readonly maxKeys?: number
  /** The clock, in milliseconds since the epoch; fractions count. Default `Date.now`. */
  readonly now?: () => number
}

interface Entry {
  readonly state: State
  /** Milliseconds since the epoch. */
  readonly expires: number
}

/**
 * Counts in this isolate's memory: no round trip, and no limit shared between isolates. For tests, for
 * development, for single processes, and as what a policy falls back to when its store is out.
 */
export function memory(options: MemoryOptions = {}): RateLimitStore {
  const maxKeys = units('maxKeys', options.maxKeys ?? 10_000)
  const clock = options.now ?? Date.now
  const entries = new Map<string, Entry>()
  const now = () => Math.floor(clock() * 1000)

  const shelf: Shelf = {
    load(key, us) {
      const entry = entries.get(key)
      return entry !== undefined && entry.expires > us / 1000 ? { ...entry.state } : undefined
    },
    save(key, state, expires) {
      // Deleting first moves the key to the end of the map's order, which makes the order one of last use.
      entries.delete(key)
      entries.set(key, { state, expires })
      if (entries.size > maxKeys) {
        const oldest = entries.keys().next()
        if (oldest.done !== true) entries.delete(oldest.value)
      }
    },
  }

  return {
    name: 'memory',
    async take(charges) {
      return decide('take', charges, now(), shelf)
    },
    async peek(charges) {
      return decide('peek', charges, now(), shelf)
    },
    async refund(charges) {
      decide('refund', charges, now(), shelf)
    },
    async block(charges, ms) {
      decide('block', charges, now(), shelf, ms)
    },
    async reset(charges) {
      for (const { key } of charges) entries.delete(key)
    },
  }
}

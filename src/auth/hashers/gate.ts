import { overloaded } from '../errors.ts'

/** Bounds of {@link createGate}. */
export interface GateOptions {
  /** Hashes at work at once. */
  readonly running: number
  /** Hashes at work or waiting; one more is shed. */
  readonly pending: number
}

/** Runs work within bounds, or throws `overloaded`. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

interface Slot {
  readonly since: number
  running: boolean
}

// A request that is aborted while it waits never reaches its `finally`. Its slot frees itself after this long.
const STALE_MS = 10_000
const POLL_MS = 5

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/**
 * An isolate has 128 MB and one thread for all its requests, so hashing is bounded across requests. Waiters
 * poll on timers of their own: in a Worker one request must not be woken by another's promise.
 */
export function createGate(options: GateOptions): Gate {
  const slots = new Set<Slot>()

  const runningNow = () => {
    let count = 0
    for (const slot of slots) if (slot.running) count++
    return count
  }
  const dropStale = () => {
    const now = Date.now()
    for (const slot of slots) if (now - slot.since > STALE_MS) slots.delete(slot)
  }

  return async function gate(work) {
    dropStale()
    if (slots.size >= options.pending) throw overloaded()
    const slot: Slot = { since: Date.now(), running: false }
    slots.add(slot)
    try {
      // Always give way once: a hash blocks the thread, and whoever came meanwhile must be counted before it does.
      await pause(0)
      while (runningNow() >= options.running) {
        if (!slots.has(slot)) throw overloaded()
        await pause(POLL_MS)
        dropStale()
      }
      slot.running = true
      return await work()
    } finally {
      slots.delete(slot)
    }
  }
}

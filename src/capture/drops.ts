import type { Category } from './rate-limits.ts'

/** Why something was not sent, in the words of Sentry's client reports. */
export type DropReason =
  | 'ratelimit_backoff'
  | 'network_error'
  | 'cache_overflow'
  | 'event_processor'
  | 'send_error'

/** Counts what is not sent, so that the tracker can say what it does not show. */
export class Drops {
  readonly #counts = new Map<string, number>()

  add(reason: DropReason, category: Category): void {
    const key = `${reason} ${category}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** How many there are of each reason and category, as `reason category`. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /**
   * A `client_report` item for an envelope that is about to leave, and starts anew; empty when nothing was dropped.
   * Call `restore` when the envelope did not arrive.
   */
  take(now: number): { readonly item: string; restore(): void } {
    if (this.#counts.size === 0) return { item: '', restore: () => {} }
    const taken = [...this.#counts]
    this.#counts.clear()
    const discarded = taken.map(([key, quantity]) => {
      const [reason, category] = key.split(' ')
      return { reason, category, quantity }
    })
    return {
      item: `${JSON.stringify({ type: 'client_report' })}\n${JSON.stringify({ timestamp: now / 1000, discarded_events: discarded })}\n`,
      restore: () => {
        for (const [key, count] of taken) this.#counts.set(key, (this.#counts.get(key) ?? 0) + count)
      },
    }
  }
}

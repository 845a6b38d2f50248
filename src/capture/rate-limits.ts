/** What an envelope holds, in the ingest's words. */
export type Category = 'error' | 'transaction' | 'monitor'

const CATEGORIES: readonly Category[] = ['error', 'transaction', 'monitor']

/**
 * What the ingest does not want for a while, by category. It says so in `X-Sentry-Rate-Limits`, a list of
 * `seconds:category;category:scope…` where no category means all, or, on a 429 without that, in `Retry-After`.
 */
export class RateLimits {
  readonly #until = new Map<Category, number>()

  /** Whether this category may be sent. */
  allows(category: Category, now: number): boolean {
    return (this.#until.get(category) ?? 0) <= now
  }

  #limit(category: Category, until: number): void {
    this.#until.set(category, Math.max(until, this.#until.get(category) ?? 0))
  }

  /** Learns from a reply. */
  note(status: number, headers: Headers, now: number): void {
    const limits = headers.get('x-sentry-rate-limits')
    if (limits) {
      for (const limit of limits.split(',')) {
        const [seconds, categories = ''] = limit.trim().split(':')
        const until = now + 1000 * (Number(seconds) >= 0 && seconds !== '' ? Number(seconds) : 60)
        const named = categories.split(';').filter((name) => name !== '')
        for (const category of CATEGORIES) {
          if (named.length === 0 || named.includes(category)) this.#limit(category, until)
        }
      }
    } else if (status === 429) {
      const until = retryAfter(headers.get('retry-after'), now)
      for (const category of CATEGORIES) this.#limit(category, until)
    }
  }
}

/** `Retry-After`: seconds or a date (RFC 9110, section 10.2.3); a minute when it says nothing sensible. */
function retryAfter(value: string | null, now: number): number {
  if (value !== null && /^\d+$/.test(value.trim())) return now + 1000 * Number(value)
  const date = value === null ? Number.NaN : Date.parse(value)
  return Number.isNaN(date) ? now + 60_000 : Math.max(now, date)
}

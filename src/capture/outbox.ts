import { type DropReason, Drops } from './drops.ts'
import { type Category, RateLimits } from './rate-limits.ts'

/** One envelope on its way. */
export interface Envelope {
  readonly category: Category
  readonly body: string
}

/** How many envelopes wait while the ingest is limited or out. */
const MAX_KEPT = 50
const MAX_KEPT_CHARACTERS = 2_000_000
/** No more at once than a request can spare of its six connections. */
const AT_ONCE = 2
const TIMEOUT = 5000

/**
 * Sends envelopes and never throws. One lives as long as its isolate, so that what the ingest refuses for a while is
 * kept, within bounds, and sent by a later request, and so that nobody knocks while it is not wanted. What is dropped
 * is counted, and told with the next envelope that leaves.
 */
export class Outbox {
  readonly drops: Drops = new Drops()
  readonly #url: string
  readonly #fetch: typeof fetch
  readonly #limits = new RateLimits()
  #kept: Envelope[] = []
  #characters = 0
  #pauseUntil = 0
  #failures = 0

  constructor(url: string, fetcher: typeof fetch) {
    this.#url = url
    this.#fetch = fetcher
  }

  /** How many wait. */
  get size(): number {
    return this.#kept.length
  }

  /** Sends these, and what was kept before. Resolves when all of them are sent, kept or dropped. */
  async send(envelopes: readonly Envelope[]): Promise<void> {
    const now = Date.now()
    const all = [...this.#kept, ...envelopes]
    this.#kept = []
    this.#characters = 0
    const ready: Envelope[] = []
    for (const envelope of all) {
      if (this.#open(envelope, now)) ready.push(envelope)
      else this.#keep(envelope, 'ratelimit_backoff')
    }
    const worker = async (): Promise<void> => {
      for (let next = ready.shift(); next !== undefined; next = ready.shift()) await this.#post(next)
    }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, ready.length) }, worker))
  }

  #open({ category }: Envelope, now: number): boolean {
    return now >= this.#pauseUntil && this.#limits.allows(category, now)
  }

  async #post(envelope: Envelope): Promise<void> {
    const now = Date.now()
    // Another one may have been refused since.
    if (!this.#open(envelope, now)) {
      this.#keep(envelope, 'ratelimit_backoff')
      return
    }
    const report = this.drops.take(now)
    try {
      const response = await this.#fetch(this.#url, {
        method: 'POST',
        body: envelope.body + report.item,
        headers: { 'content-type': 'application/x-sentry-envelope' },
        signal: AbortSignal.timeout(TIMEOUT),
      })
      await response.body?.cancel()
      this.#limits.note(response.status, response.headers, Date.now())
      if (!response.ok) report.restore()
      if (response.status === 429) this.#keep(envelope, 'ratelimit_backoff')
      else if (response.status >= 500) this.#failed(envelope)
      else {
        this.#failures = 0
        // 413, 400: it would be refused again.
        if (response.status >= 400) this.drops.add('send_error', envelope.category)
      }
    } catch {
      report.restore()
      this.#failed(envelope)
    }
  }

  #failed(envelope: Envelope): void {
    this.#failures += 1
    this.#pauseUntil = Date.now() + Math.min(60_000, 1000 * 2 ** Math.min(this.#failures, 6))
    this.#keep(envelope, 'network_error')
  }

  #keep(envelope: Envelope, reason: DropReason): void {
    // A transaction is one of many, and a check-in is only worth something in time; an error may be the only one of its kind.
    if (envelope.category !== 'error') {
      this.drops.add(reason, envelope.category)
      return
    }
    this.#kept.push(envelope)
    this.#characters += envelope.body.length
    // The newest go: the first errors of an outage tell what began it.
    while (this.#kept.length > MAX_KEPT || this.#characters > MAX_KEPT_CHARACTERS) {
      const dropped = this.#kept.pop()
      if (dropped === undefined) break
      this.#characters -= dropped.body.length
      this.drops.add('cache_overflow', dropped.category)
    }
  }
}

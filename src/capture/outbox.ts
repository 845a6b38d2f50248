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
 * kept, within bounds, and sent by a later request, and so that nobody knocks while it is not wanted.
 */
export class Outbox {
  readonly #url: string
  readonly #fetch: typeof fetch
  readonly #limits = new RateLimits()
  #kept: Envelope[] = []
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
    const ready: Envelope[] = []
    for (const envelope of all) {
      if (now >= this.#pauseUntil && this.#limits.allows(envelope.category, now)) ready.push(envelope)
      else this.#keep(envelope)
    }
    const worker = async (): Promise<void> => {
      for (let next = ready.shift(); next !== undefined; next = ready.shift()) await this.#post(next)
    }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, ready.length) }, worker))
  }

  async #post(envelope: Envelope): Promise<void> {
    const now = Date.now()
    // Another one may have been refused since.
    if (now < this.#pauseUntil || !this.#limits.allows(envelope.category, now)) return this.#keep(envelope)
    try {
      const response = await this.#fetch(this.#url, {
        method: 'POST',
        body: envelope.body,
        headers: { 'content-type': 'application/x-sentry-envelope' },
        signal: AbortSignal.timeout(TIMEOUT),
      })
      await response.body?.cancel()
      this.#limits.note(response.status, response.headers, Date.now())
      if (response.status === 429) this.#keep(envelope)
      else if (response.status >= 500) this.#failed(envelope)
      else this.#failures = 0
    } catch {
      this.#failed(envelope)
    }
  }

  #failed(envelope: Envelope): void {
    this.#failures += 1
    this.#pauseUntil = Date.now() + Math.min(60_000, 1000 * 2 ** Math.min(this.#failures, 6))
    this.#keep(envelope)
  }

  #keep(envelope: Envelope): void {
    // A transaction is one of many; an error may be the only one of its kind.
    if (envelope.category !== 'error') return
    this.#kept.push(envelope)
    let characters = this.#kept.reduce((sum, { body }) => sum + body.length, 0)
    // The newest go: the first errors of an outage tell what began it.
    while (this.#kept.length > MAX_KEPT || characters > MAX_KEPT_CHARACTERS) {
      characters -= this.#kept.pop()?.body.length ?? characters
    }
  }
}

const WINDOW = 60_000
const MAX_KEYS = 200

interface Seen {
  since: number
  told: number
  folded: number
}

/**
 * Folds what repeats: of each kind of event an isolate sends so many a minute, and says with the next one how many it
 * kept to itself. An outage is told by its first events, not by its hundred thousandth.
 */
export class Fold {
  readonly #most: number
  readonly #seen = new Map<string, Seen>()

  constructor(most: number) {
    this.#most = most
  }

  /** How many were folded before this one, or undefined when this one is to be folded. */
  pass(key: string, now: number = Date.now()): number | undefined {
    let seen = this.#seen.get(key)
    if (seen === undefined) {
      if (this.#seen.size >= MAX_KEYS) this.#forget()
      seen = { since: now, told: 0, folded: 0 }
      this.#seen.set(key, seen)
    }
    if (now - seen.since >= WINDOW) {
      seen.since = now
      seen.told = 0
    }
    if (seen.told >= this.#most) {
      seen.folded += 1
      return undefined
    }
    seen.told += 1
    const { folded } = seen
    seen.folded = 0
    return folded
  }

  #forget(): void {
    const oldest = this.#seen.keys().next()
    if (!oldest.done) this.#seen.delete(oldest.value)
  }
}

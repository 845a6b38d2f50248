/** What an isolate remembers of a key that cannot succeed for a while. */
export interface Block {
  /** Milliseconds since the epoch by this isolate's clock. */
  readonly until: number
  readonly penalized: boolean
}

/** A block that is lifted by hand in one isolate is asked for again by the others after this long. */
const TRUSTED = 60_000

/** Blocked keys known to the isolate: bounded, so that an attacker with many addresses cannot fill its memory. */
export class BlockedKeys {
  readonly #blocks = new Map<string, Block & { readonly trusted: number }>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get empty(): boolean {
    return this.#blocks.size === 0
  }

  get(key: string, now: number): Block | undefined {
    const block = this.#blocks.get(key)
    // A clock that was set back does not make a block longer than it was.
    if (block === undefined || (now < block.trusted && block.trusted - now <= TRUSTED)) return block
    this.#blocks.delete(key)
    return undefined
  }

  set(key: string, block: Block, now: number): void {
    if (this.#max === 0) return
    this.#blocks.delete(key)
    if (this.#blocks.size >= this.#max) {
      const oldest = this.#blocks.keys().next()
      if (oldest.done !== true) this.#blocks.delete(oldest.value)
    }
    this.#blocks.set(key, { ...block, trusted: Math.min(block.until, now + TRUSTED) })
  }

  delete(key: string): void {
    this.#blocks.delete(key)
  }
}

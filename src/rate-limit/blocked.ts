/** What an isolate remembers of a key that cannot succeed for a while. */
export interface Block {
  /** Milliseconds since the epoch by this isolate's clock. */
  readonly until: number
  readonly penalized: boolean
}

/** Blocked keys known to the isolate: bounded, so that an attacker with many addresses cannot fill its memory. */
export class BlockedKeys {
  readonly #blocks = new Map<string, Block>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get(key: string, now: number): Block | undefined {
    const block = this.#blocks.get(key)
    if (block === undefined || block.until > now) return block
    this.#blocks.delete(key)
    return undefined
  }

  set(key: string, block: Block): void {
    this.#blocks.delete(key)
    if (this.#blocks.size >= this.#max) {
      const oldest = this.#blocks.keys().next()
      if (oldest.done !== true) this.#blocks.delete(oldest.value)
    }
    this.#blocks.set(key, block)
  }

  delete(key: string): void {
    this.#blocks.delete(key)
  }
}

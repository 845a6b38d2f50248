const BLOCK_BYTES = 256 * 1024

/**
 * Gathers many small pieces into few blocks, by copying. The driver hands out views of a buffer that it fills anew
 * when the next packet comes: to keep a piece is to copy it.
 */
export class Blocks {
  readonly #full: Uint8Array[] = []
  #block: Uint8Array = new Uint8Array(0)
  #used = 0

  add(piece: Uint8Array): void {
    let rest = piece
    while (rest.length > 0) {
      if (this.#used === this.#block.length) {
        if (this.#used > 0) this.#full.push(this.#block)
        this.#block = new Uint8Array(BLOCK_BYTES)
        this.#used = 0
      }
      const taken = rest.subarray(0, this.#block.length - this.#used)
      this.#block.set(taken, this.#used)
      this.#used += taken.length
      rest = rest.subarray(taken.length)
    }
  }

  /** Everything added, in order. */
  take(): Uint8Array[] {
    return this.#used === 0 ? this.#full : [...this.#full, this.#block.subarray(0, this.#used)]
  }

  clear(): void {
    this.#full.length = 0
    this.#block = new Uint8Array(0)
    this.#used = 0
  }
}

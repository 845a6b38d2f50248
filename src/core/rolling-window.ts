const SLICES = 10

/** Counts calls and failures of the last while, in slices of time that are forgotten one by one. */
export class RollingWindow {
  readonly #length: number
  readonly #calls: number[] = new Array(SLICES).fill(0)
  readonly #failures: number[] = new Array(SLICES).fill(0)
  #current = 0

  /** @param length Milliseconds. */
  constructor(length: number) {
    this.#length = Math.max(1, length / SLICES)
  }

  count(now: number, failed: boolean): void {
    this.#roll(now)
    const slot = this.#current % SLICES
    this.#calls[slot] = (this.#calls[slot] ?? 0) + 1
    if (failed) this.#failures[slot] = (this.#failures[slot] ?? 0) + 1
  }

  totals(now: number): { readonly calls: number; readonly failures: number } {
    this.#roll(now)
    return { calls: sum(this.#calls), failures: sum(this.#failures) }
  }

  clear(): void {
    this.#calls.fill(0)
    this.#failures.fill(0)
  }

  #roll(now: number): void {
    const slice = Math.floor(now / this.#length)
    // Long silence, or a clock that was set back.
    if (slice - this.#current >= SLICES || slice < this.#current) {
      this.clear()
      this.#current = slice
    }
    while (this.#current < slice) {
      this.#current++
      this.#calls[this.#current % SLICES] = 0
      this.#failures[this.#current % SLICES] = 0
    }
  }
}

function sum(numbers: readonly number[]): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}

/**
 * A bounded memory of what was worked out lately, by text. Two generations, the older of which is dropped when the
 * younger is full: what is asked for stays, and neither reading nor writing ever walks through it.
 */
export class Recent<V> {
  readonly #most: number
  readonly #longest: number
  #young = new Map<string, V>()
  #old = new Map<string, V>()

  /**
   * @param most entries a generation keeps.
   * @param longest characters of a key; what has a longer one is not kept.
   */
  constructor(most: number, longest: number) {
    this.#most = most
    this.#longest = longest
  }

  get(key: string): V | undefined {
    const value = this.#young.get(key)
    if (value !== undefined) return value
    const older = this.#old.get(key)
    if (older !== undefined) this.set(key, older)
    return older
  }

  set(key: string, value: V): void {
    if (key.length > this.#longest) return
    if (this.#young.size >= this.#most) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}

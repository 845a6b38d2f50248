/** Collects bytes that come in pieces of any size, up to a bound. Grows as they come: what was announced may never come. */
export class Gathering {
  readonly capacity: number
  #buffer: Uint8Array<ArrayBuffer>
  #length = 0

  /** @param buffer To begin with, such as that of an earlier one. */
  constructor(capacity: number, buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0)) {
    this.capacity = capacity
    this.#buffer = buffer
  }

  get length(): number {
    return this.#length
  }

  get full(): boolean {
    return this.#length === this.capacity
  }

  /** What has come. A view: valid until more is added. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length)
  }

  /** What it was made with or has grown to, for the next. */
  get buffer(): Uint8Array<ArrayBuffer> {
    return this.#buffer
  }

  /** Takes as much as there is room for; returns the rest. */
  add(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, this.capacity - this.#length)
    const needed = this.#length + taken.length
    if (this.#buffer.length < needed) {
      const grown = new Uint8Array(Math.min(this.capacity, Math.max(needed, this.#buffer.length * 4)))
      grown.set(this.bytes)
      this.#buffer = grown
    }
    this.#buffer.set(taken, this.#length)
    this.#length = needed
    return bytes.subarray(taken.length)
  }
}

const MOST_SPARE = 4
let spares: WeakRef<Uint8Array<ArrayBuffer>>[] = []

/**
 * Memory of this size: some that was given back, as long as the collector has not taken it. Without that, each request
 * of a large upload would leave its parts behind as garbage, faster than it is collected.
 */
export function borrow(bytes: number): Uint8Array<ArrayBuffer> {
  const found = spares.map((spare) => spare.deref()).filter((buffer) => buffer !== undefined)
  const fits = found.find(({ length }) => length === bytes)
  spares = spares.filter((spare) => spare.deref() !== undefined && spare.deref() !== fits)
  return fits ?? new Uint8Array(bytes)
}

/** Gives memory back that nobody looks at any more. */
export function giveBack(buffer: Uint8Array<ArrayBuffer>): void {
  if (spares.length < MOST_SPARE) spares.push(new WeakRef(buffer))
}

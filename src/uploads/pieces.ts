import { borrow, Gathering } from './gathering.ts'

/**
 * Sends bytes on in pieces of one size: one fills while the one before it travels, so that two are in memory. A piece
 * is sent only when more follows: the last stays in {@link Pieces.rest}, for its sender to decide about.
 */
export class Pieces {
  readonly #send: (piece: Uint8Array<ArrayBuffer>) => Promise<void>
  #filling: Gathering
  #spare: Uint8Array<ArrayBuffer> | undefined
  #travelling: Promise<void> = Promise.resolve()

  constructor(bytes: number, send: (piece: Uint8Array<ArrayBuffer>) => Promise<void>) {
    this.#send = send
    this.#filling = new Gathering(bytes)
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0; ) {
      if (this.#filling.full) await this.#flush()
      rest = this.#filling.add(rest)
    }
  }

  /** What has not been sent. */
  get rest(): Uint8Array<ArrayBuffer> {
    return this.#filling.bytes
  }

  /** Resolves when everything that was sent has arrived. */
  arrived(): Promise<void> {
    return this.#travelling
  }

  async #flush(): Promise<void> {
    await this.#travelling
    const full = this.#filling
    this.#filling = new Gathering(full.capacity, this.#spare ?? borrow(full.capacity))
    this.#spare = undefined
    this.#travelling = this.#send(full.bytes).then(() => {
      this.#spare = full.buffer
    })
    // Heard by whoever awaits it next.
    this.#travelling.catch(() => {})
  }
}

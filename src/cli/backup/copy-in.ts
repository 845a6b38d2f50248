import { once } from 'node:events'
import type { Socket } from 'node:net'
import type pg from 'pg'

/** The part of pg's connection that COPY needs. */
interface Wire {
  readonly stream: Socket
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
  sendCopyFail(message: string): void
}

/** What pg asks of a query that reads and writes the wire itself. */
class CopyIn {
  readonly done: Promise<void>
  readonly #text: string
  readonly #source: AsyncIterable<Uint8Array>
  readonly #failed = new AbortController()
  #cause: unknown
  #resolve: () => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(text: string, source: AsyncIterable<Uint8Array>) {
    this.#text = text
    this.#source = source
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.done.catch(() => {})
  }

  submit(connection: Wire): void {
    connection.query(this.#text)
  }

  handleCopyInResponse(connection: Wire): void {
    this.#pump(connection).catch((error: unknown) => {
      if (this.#failed.signal.aborted) return
      // Postgres answers with an error of its own; ours tells more.
      this.#cause = error
      connection.sendCopyFail('the backup cannot be read')
    })
  }

  async #pump(connection: Wire): Promise<void> {
    const { signal } = this.#failed
    for await (const chunk of this.#source) {
      signal.throwIfAborted()
      connection.sendCopyFromChunk(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      if (connection.stream.writableNeedDrain) await once(connection.stream, 'drain', { signal })
    }
    connection.endCopyFrom()
  }

  handleError(error: unknown): void {
    this.#failed.abort(error)
    this.#reject(this.#cause ?? error)
  }

  handleReadyForQuery(): void {
    this.#resolve()
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
}

/** Runs a `COPY … FROM STDIN`, with as much in memory as one chunk. Rejects with the source's error, if it has one. */
export function copyIn(client: pg.Client, text: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const copy = new CopyIn(text, source)
  client.query(copy as never)
  return copy.done
}

import { Client } from '@neondatabase/serverless'
import { addressOf } from '../db/endpoint.ts'
import { Blocks } from './blocks.ts'
import type { Query } from './catalog.ts'
import { BackupError } from './errors.ts'

/** A connection that one backup is read over. */
export interface BackupConnection {
  readonly query: Query
  /** Runs a `COPY … TO STDOUT` and gives its bytes in the pieces they came in. */
  copyOut(text: string, maxBytes: number): Promise<Uint8Array[]>
  end(): Promise<void>
}

/** What the driver asks of a query that reads the wire itself. `pg-copy-streams` needs Node's sockets; this does not. */
class CopyOut {
  readonly done: Promise<Uint8Array[]>
  readonly #text: string
  readonly #maxBytes: number
  readonly #blocks: Blocks = new Blocks()
  #bytes = 0
  #resolve: (pieces: Uint8Array[]) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(text: string, maxBytes: number) {
    this.#text = text
    this.#maxBytes = maxBytes
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.done.catch(() => {})
  }

  submit(connection: { query(text: string): void }): void {
    connection.query(this.#text)
  }

  handleCopyData(message: { readonly chunk: Uint8Array }): void {
    this.#bytes += message.chunk.length
    // There is no way to tell the other side to wait: past the limit, let go of everything rather than of the isolate.
    if (this.#bytes > this.#maxBytes) {
      this.#blocks.clear()
      return
    }
    this.#blocks.add(message.chunk)
  }

  handleError(error: unknown): void {
    this.#reject(error)
  }

  handleReadyForQuery(): void {
    if (this.#bytes > this.#maxBytes) {
      this.#reject(new BackupError('range-too-large', `A range of rows came to ${this.#bytes} bytes.`))
    } else this.#resolve(this.#blocks.take())
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
}

/** Opens a WebSocket to Postgres. It belongs to whoever opened it: never keep it for another unit of work. */
export async function connect(databaseUrl: string, endpoint: string | undefined): Promise<BackupConnection> {
  const { url, local } = addressOf(databaseUrl, endpoint)
  const client = new Client(url)
  // Cleartext passwords, which the driver pipelines by default, are refused by servers that ask for SCRAM.
  client.neonConfig.pipelineConnect = false
  if (local !== undefined) {
    client.neonConfig.wsProxy = local.proxy
    client.neonConfig.useSecureWebSocket = local.secure
  }
  // Queries under way are rejected by themselves; without a listener the event would end the process.
  client.on('error', () => {})
  await client.connect()
  return {
    async query(text, values) {
      const { rows } = await client.query(text, values as unknown[] | undefined)
      return rows as Record<string, unknown>[]
    },
    copyOut(text, maxBytes) {
      const copy = new CopyOut(text, maxBytes)
      client.query(copy as never)
      return copy.done
    },
    end: () => client.end(),
  }
}

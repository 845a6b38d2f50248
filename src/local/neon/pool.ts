import { createHash } from 'node:crypto'
import pg from 'pg'
import type { Credentials } from './credentials.ts'
import { NeonFailure, postgresFields } from './errors.ts'
import { cancel, type Target } from './target.ts'

/** A connection on loan. */
export interface Lease {
  readonly client: pg.Client
  /** Cancels what the connection is doing. The connection is not used again. */
  cancel(): void
  /** Gives it back. With `broken` it is closed, otherwise its session state is wiped before anyone else gets it. */
  release(broken?: boolean): void
}

interface Member {
  readonly client: pg.Client
  readonly key: string
  timer: NodeJS.Timeout | undefined
}

const IDLE = 30_000

function keyOf({ user, password, database, settings }: Credentials): string {
  return createHash('sha256')
    .update(JSON.stringify([user, password, database, settings]))
    .digest('base64')
}

function backendKey(client: pg.Client): Buffer {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
  const key = Buffer.alloc(8)
  key.writeInt32BE(processID, 0)
  key.writeInt32BE(secretKey, 4)
  return key
}

/** Postgres's refusal of a connection, in Neon's words. */
function refused(error: unknown, user: string): NeonFailure {
  const fields = postgresFields(error)
  const code = fields?.['code']
  if (code === '28P01' || code === '28000') {
    return new NeonFailure(400, `password authentication failed for user '${user}'`)
  }
  if (fields !== undefined) return new NeonFailure(500, (error as Error).message, fields)
  return new NeonFailure(500, "couldn't connect to compute node")
}

/**
 * A bounded pool of connections for every user, password and database that comes along. A connection serves one
 * request at a time; afterwards `DISCARD ALL` takes its settings, temporary tables, prepared statements and locks.
 */
export class Pool {
  readonly #target: Target
  readonly #max: number
  readonly #idle: Member[] = []
  readonly #waiting: (() => void)[] = []
  readonly #all = new Set<pg.Client>()
  #size = 0
  #closed = false

  constructor(target: Target, max: number) {
    this.#target = target
    this.#max = max
  }

  async lease(credentials: Credentials): Promise<Lease> {
    const key = keyOf(credentials)
    for (;;) {
      if (this.#closed) throw new NeonFailure(500, 'the stand-in is stopping')
      const at = this.#idle.findLastIndex((member) => member.key === key)
      const member = at === -1 ? undefined : this.#idle.splice(at, 1)[0]
      if (member !== undefined) {
        clearTimeout(member.timer)
        return this.#lend(member)
      }
      if (this.#size >= this.#max) {
        const other = this.#idle.shift()
        if (other === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve))
        else this.#drop(other)
        continue
      }
      this.#size++
      try {
        return this.#lend({ client: await this.#connect(credentials), key, timer: undefined })
      } catch (error) {
        this.#left()
        throw refused(error, credentials.user)
      }
    }
  }

  async #connect({ user, password, database, settings }: Credentials): Promise<pg.Client> {
    const client = new pg.Client({
      host: this.#target.host,
      port: this.#target.port,
      ssl: this.#target.tls ?? false,
      user,
      password,
      database,
      application_name: settings['application_name'],
      options: settings['options'],
      connectionTimeoutMillis: 10_000,
    })
    // A connection that breaks while idle is found out at its next use.
    client.on('error', () => {})
    await client.connect()
    this.#all.add(client)
    client.once('end', () => {
      this.#all.delete(client)
      const at = this.#idle.findIndex((member) => member.client === client)
      const member = at === -1 ? undefined : this.#idle.splice(at, 1)[0]
      if (member !== undefined) {
        clearTimeout(member.timer)
        this.#left()
      }
    })
    return client
  }

  #lend(member: Member): Lease {
    let returned = false
    return {
      client: member.client,
      cancel: () => void cancel(this.#target, backendKey(member.client)),
      release: (broken = false) => {
        if (returned) return
        returned = true
        if (broken) this.#drop(member)
        else void this.#wipe(member)
      },
    }
  }

  async #wipe(member: Member): Promise<void> {
    try {
      // Fails inside a transaction that a request has left open, and such a connection is not used again.
      await member.client.query('DISCARD ALL')
    } catch {
      this.#drop(member)
      return
    }
    if (this.#closed) {
      this.#drop(member)
      return
    }
    member.timer = setTimeout(() => {
      const at = this.#idle.indexOf(member)
      if (at !== -1) this.#idle.splice(at, 1)
      this.#drop(member)
    }, IDLE)
    member.timer.unref()
    this.#idle.push(member)
    this.#waiting.shift()?.()
  }

  #drop(member: Member): void {
    clearTimeout(member.timer)
    void member.client.end().catch(() => {})
    this.#left()
  }

  #left(): void {
    this.#size--
    this.#waiting.shift()?.()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const wake of this.#waiting.splice(0)) wake()
    for (const member of this.#idle.splice(0)) this.#drop(member)
    await Promise.all([...this.#all].map((client) => client.end().catch(() => {})))
  }
}

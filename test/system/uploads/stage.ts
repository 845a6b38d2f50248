import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { startApp, type TestWorker } from './support.ts'

/** A row of uploads, as far as tests look. */
export interface Row {
  readonly id: string
  readonly state: string
  readonly reason: string | null
  readonly key: string
  readonly [column: string]: unknown
}

/** What an owner uses. */
export interface Usage {
  readonly reserved: number
  readonly stored: number
  readonly files: number
}

/** A test's own request: `as` says who asks, null is nobody. */
export type Call = (
  method: string,
  path: string,
  init?: RequestInit & { as?: string | null },
) => Promise<Response>

/** What tests of uploads begin with: a database, the worker over it, and somebody new for each test. */
export interface Stage {
  readonly url: string
  readonly database: ScratchDatabase
  /** Who asks. */
  user: string
  readonly call: Call
  /** The answer as JSON. */
  readonly json: <T = Record<string, unknown>>(...call: Parameters<Call>) => Promise<T>
  readonly usage: (owner?: string) => Promise<Usage>
  /** The owner's uploads, oldest first. */
  readonly rows: (owner?: string) => Promise<Row[]>
  readonly row: (id: string) => Promise<Row>
  /** Every key in the bucket that has the id of one of the owner's uploads in it. */
  readonly keys: () => Promise<string[]>
  /** HTTP round trips to Postgres, and WebSockets opened, since it began. */
  readonly trips: () => { readonly http: number; readonly webSockets: number }
  /** As if an upload had not moved for hours. */
  readonly age: (id: string) => Promise<unknown>
  /** Ends the worker and starts another; needs `state`. */
  readonly restart: () => Promise<void>
}

/** Sets the stage of a file of tests, and clears it away behind them. */
export function stage({ state }: { readonly state?: string } = {}): Stage {
  let database: ScratchDatabase
  let worker: TestWorker
  beforeAll(async () => {
    database = await scratchDatabase()
    await database.pool.query('create table test_jobs (type text, input jsonb, key text unique)')
    worker = await startApp(database, state)
  })
  beforeEach(() => {
    self.user = randomUUID()
  })
  afterAll(() => worker?.stop())

  const self: Stage = {
    get url() {
      return worker.url
    },
    get database() {
      return database
    },
    user: randomUUID(),
    async call(method, path, { as = self.user, ...init } = {}) {
      const headers = new Headers(init.headers)
      if (as !== null) headers.set('x-user', as)
      return fetch(worker.url + path, { method, ...init, headers })
    },
    json: async (...call) => (await self.call(...call)).json() as never,
    async usage(owner = self.user) {
      const { rows } = await database.pool.query<Usage>(
        'select reserved_bytes::int as reserved, stored_bytes::int as stored, files from breakwater.upload_usage where owner_id = $1',
        [owner],
      )
      return rows[0] ?? { reserved: 0, stored: 0, files: 0 }
    },
    async rows(owner = self.user) {
      const sql = 'select * from breakwater.uploads where owner_id = $1 order by id'
      return (await database.pool.query<Row>(sql, [owner])).rows
    },
    async row(id) {
      const { rows } = await database.pool.query<Row>('select * from breakwater.uploads where id = $1', [id])
      return rows[0] as Row
    },
    async keys() {
      const mine = (await self.rows()).map(({ id }) => id)
      const keys = await self.json<string[]>('GET', '/keys')
      return keys.filter((key) => mine.some((id) => key.includes(id)))
    },
    trips() {
      const { requests, webSockets } = database.standIn.stats()
      return { http: requests['POST /sql'] ?? 0, webSockets: webSockets.connections }
    },
    age: (id) =>
      database.pool.query(
        "update breakwater.uploads set updated_at = now() - interval '5 hours' where id = $1",
        [id],
      ),
    async restart() {
      await worker.stop()
      worker = await startApp(database, state)
    },
  }
  return self
}

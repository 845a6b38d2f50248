import { Client, neon, neonConfig, Pool, types } from '@neondatabase/serverless'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as drizzleHttp } from 'drizzle-orm/neon-http'
import { drizzle as drizzleServerless } from 'drizzle-orm/neon-serverless'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { createDatabase } from '../../../src/db/index.ts'
import { type Case, CHANGES, FAILURES, READS, SETUP } from './cases.ts'

/** A case that was answered otherwise than by Postgres itself. */
export interface Difference {
  readonly way: string
  readonly case: string
  readonly expected: string
  readonly actual: string
}

/** What {@link compareNeon} found. */
export interface Comparison {
  /** How many answers were compared. */
  readonly compared: number
  readonly differing: readonly Difference[]
}

type Run = (one: Case) => Promise<unknown>

const FIELDS = [
  ...['name', 'tableID', 'columnID', 'dataTypeID', 'dataTypeSize', 'dataTypeModifier', 'format'],
] as const
const ERROR_FIELDS = [
  ...[
    'message',
    'severity',
    'code',
    'detail',
    'hint',
    'position',
    'internalPosition',
    'internalQuery',
    'where',
  ],
  ...['schema', 'table', 'column', 'dataType', 'constraint', 'file', 'line', 'routine'],
] as const

function pick(from: unknown, names: readonly string[]): Record<string, unknown> {
  const record = from as Record<string, unknown>
  return Object.fromEntries(names.map((name) => [name, record[name] ?? null]))
}

/** Two values are alike when this is the same text: types, key order of rows and all. */
function show(value: unknown): string {
  return JSON.stringify(value, function (key, shown) {
    const raw = (this as Record<string, unknown>)[key]
    if (raw instanceof Date) return `Date ${raw.getTime()}`
    if (raw instanceof Uint8Array) return `Bytes ${Buffer.from(raw).toString('hex')}`
    if (typeof raw === 'bigint') return `BigInt ${raw}`
    if (typeof raw === 'number' && !Number.isFinite(raw)) return `Number ${raw}`
    if (typeof raw === 'object' && raw !== null && raw.constructor?.name === 'PostgresInterval') {
      return { Interval: { ...raw } }
    }
    return shown
  })
}

/** The whole of an answer. Nothing to run has no command: null in one driver, empty in Neon's replies. */
function full(result: unknown): unknown {
  const { fields, rows, rowCount, command } = result as pg.QueryResult
  return {
    rows,
    fields: fields.map((field) => pick(field, FIELDS)),
    rowCount: rowCount ?? null,
    command: command || null,
  }
}

async function outcome(run: Run, one: Case): Promise<string> {
  try {
    return show(await run(one))
  } catch (error) {
    const cause = (error as { cause?: unknown }).cause
    // Drizzle wraps errors, and the wrapped one is the answer.
    const answered = (cause as { code?: unknown } | undefined)?.code === undefined ? error : cause
    return show({ error: pick(answered, ERROR_FIELDS) })
  }
}

/** A drizzle statement of a text with `$1`. */
function built(one: Case): ReturnType<typeof drizzleSql> {
  const chunks = one.sql.split(/\$(\d+)/)
  return drizzleSql.join(
    chunks.map((chunk, at) =>
      at % 2 === 0 ? drizzleSql.raw(chunk) : drizzleSql`${drizzleSql.param(one.params?.[Number(chunk) - 1])}`,
    ),
  )
}

/** A tagged template of a text with `$1`; undefined when the order of the parameters is not plain. */
function tagged(one: Case): readonly [TemplateStringsArray, ...unknown[]] | undefined {
  const chunks = one.sql.split(/\$\d+/)
  const order = [...one.sql.matchAll(/\$(\d+)/g)].map((match) => Number(match[1]))
  if (order.some((number, at) => number !== at + 1) || order.length !== (one.params?.length ?? 0))
    return undefined
  return [
    Object.assign([...chunks], { raw: chunks }) as unknown as TemplateStringsArray,
    ...(one.params ?? []),
  ]
}

const values = (one: Case): unknown[] => [...(one.params ?? [])]

class Differential {
  compared = 0
  readonly differing: Difference[] = []
  readonly #reference: pg.Client
  readonly #every: number
  #ways = 0

  constructor(reference: pg.Client, every: number) {
    this.#reference = reference
    this.#every = every
  }

  note(way: string, name: string, expected: string, actual: string): void {
    this.compared++
    if (expected !== actual) this.differing.push({ way, case: name, expected, actual })
  }

  /** What Postgres says to `pg`, by the extended protocol as in all other ways. */
  expected(rowMode: 'array' | undefined): Run {
    return async (one) =>
      full(
        await this.#reference.query({
          text: one.sql,
          values: values(one),
          queryMode: 'extended',
          ...(rowMode && { rowMode }),
        } as pg.QueryConfig),
      )
  }

  async run(way: string, cases: readonly Case[], reference: Run, run: Run): Promise<void> {
    // Each way takes other cases, so that together they take all.
    const offset = this.#ways++
    for (const [at, one] of cases.entries()) {
      if ((at + offset) % this.#every !== 0) continue
      this.note(way, one.sql, await outcome(reference, one), await outcome(run, one))
    }
  }
}

async function undone(client: Pick<pg.Client, 'query'>, run: () => Promise<unknown>): Promise<unknown> {
  await client.query('begin')
  try {
    return await run()
  } finally {
    await client.query('rollback')
  }
}

async function compareHttp(all: Differential, url: string): Promise<void> {
  const http = neon(url, { fullResults: true })
  const rows = neon(url)
  const asArrays = neon(url, { fullResults: true, arrayMode: true })
  const objects = all.expected(undefined)
  const arrays = all.expected('array')
  const plain = [...READS, ...FAILURES]
  await all.run('neon() query', plain, objects, async (one) => full(await http.query(one.sql, values(one))))
  await all.run('neon() arrayMode', plain, arrays, async (one) =>
    full(await asArrays.query(one.sql, values(one))),
  )
  await all.run(
    'neon() tagged',
    plain.filter((one) => tagged(one) !== undefined),
    async (one) => ((await objects(one)) as pg.QueryResult).rows,
    (one) => rows(...(tagged(one) as [TemplateStringsArray, ...unknown[]])) as Promise<unknown>,
  )
  // In a transaction: what the statement says, and what a statement before it said.
  await all.run('neon() transaction', READS, objects, async (one) => {
    const results = await http.transaction([http`select 1 as before`, http.query(one.sql, values(one))])
    return full(results[1])
  })
}

async function compareBatches(all: Differential, url: string, reference: pg.Client): Promise<void> {
  const http = neon(url, { fullResults: true })
  const settings =
    "select current_setting('transaction_isolation') as i, current_setting('transaction_read_only') as r, current_setting('transaction_deferrable') as d"
  for (const level of ['ReadUncommitted', 'ReadCommitted', 'RepeatableRead', 'Serializable'] as const) {
    for (const readOnly of [true, false]) {
      for (const deferrable of [true, false]) {
        const spaced = level.replace(/(?<=[a-z])(?=[A-Z])/, ' ')
        await reference.query(
          `begin isolation level ${spaced} ${readOnly ? 'read only' : ''} ${deferrable ? 'deferrable' : ''}`,
        )
        const expected = full(await reference.query(settings))
        await reference.query('rollback')
        const [got] = await http.transaction([http.query(settings)], {
          isolationLevel: level,
          readOnly,
          deferrable,
        })
        all.note('batch', `${level} ${readOnly} ${deferrable}`, show(expected), show(full(got)))
      }
    }
  }
  // A batch that fails leaves nothing behind, and says what the failing statement said.
  for (const failure of FAILURES) {
    const alone = await outcome(async (one) => {
      await undone(reference, async () => {
        await reference.query("insert into parent values (77, 'before')")
        return await all.expected(undefined)(one)
      })
      return 'no failure'
    }, failure)
    const batch = await outcome(async (one) => {
      await http.transaction([
        http.query("insert into parent values (77, 'before')"),
        http.query(one.sql, values(one)),
        http.query('select fails($1)', ['to undo it']),
      ])
    }, failure)
    if (alone !== '"no failure"') all.note('failing batch', failure.sql, alone, batch)
    const left = await reference.query('select count(*)::int as n from parent where id = 77')
    all.note('failing batch leaves nothing', failure.sql, '[{"n":0}]', show(left.rows))
  }
  // A change through HTTP is there for everyone afterwards, and counted alike.
  for (const change of CHANGES) {
    const expected = await outcome((one) => undone(reference, () => all.expected(undefined)(one)), change)
    const actual = await outcome(async (one) => {
      // Undone by a failure at the end: what the change said is passed out before it.
      const said: unknown[] = []
      const client = new Client(url)
      await client.connect()
      try {
        await undone(client as unknown as pg.Client, async () =>
          said.push(full(await client.query(one.sql, values(one)))),
        )
      } finally {
        await client.end()
      }
      return said[0]
    }, change)
    all.note('change', change.sql, withoutTables(expected), withoutTables(actual))
  }
}

/** A table that is made twice has another number each time. */
function withoutTables(text: string): string {
  return text.replace(/"tableID":\d+/g, '"tableID":0')
}

async function compareSockets(all: Differential, url: string): Promise<void> {
  for (const pipelineConnect of ['password', false] as const) {
    neonConfig.pipelineConnect = pipelineConnect
    const client = new Client(url)
    const pool = new Pool({ connectionString: url, max: 2 })
    await client.connect()
    try {
      // This driver speaks the simple protocol when there are no parameters, which takes several statements.
      const plain = [...READS, ...FAILURES].filter((one) => one.sql !== 'select 1; select 2')
      const way = `pipelineConnect ${pipelineConnect}`
      await all.run(`Client, ${way}`, plain, all.expected(undefined), async (one) =>
        full(await client.query({ text: one.sql, values: values(one), queryMode: 'extended' } as never)),
      )
      await all.run(`Client arrays, ${way}`, READS, all.expected('array'), async (one) =>
        full(
          await client.query({
            text: one.sql,
            values: values(one),
            rowMode: 'array',
            queryMode: 'extended',
          } as never),
        ),
      )
      await all.run(`Pool, ${way}`, READS, all.expected(undefined), async (one) =>
        full(await pool.query({ text: one.sql, values: values(one), queryMode: 'extended' } as never)),
      )
    } finally {
      await client.end()
      await pool.end()
    }
  }
  neonConfig.pipelineConnect = 'password'
}

const DRIZZLE_CASES = [...READS, ...FAILURES].filter(
  // Drizzle numbers parameters itself, and passes each of them once.
  (one) =>
    tagged(one) !== undefined &&
    !one.params?.some((value) => typeof value === 'bigint' || Array.isArray(value)),
)

async function compareDrizzle(
  all: Differential,
  url: string,
  endpoint: string,
  reference: pg.Client,
): Promise<void> {
  const direct = drizzlePg(reference)
  const expected: Run = async (one) => full(await direct.execute(built(one)))
  const pool = new Pool({ connectionString: url, max: 1 })
  const serverless = drizzleServerless(pool)
  const http = drizzleHttp(neon(url))
  const ours = createDatabase({ url, endpoint })
  const simple = DRIZZLE_CASES.filter((one) => one.sql !== 'select 1; select 2')
  try {
    await all.run('drizzle neon-serverless', simple, expected, async (one) =>
      full(await serverless.execute(built(one))),
    )
    await all.run('drizzle neon-http', simple, expected, async (one) => full(await http.execute(built(one))))
    await all.run(
      'breakwater/db',
      READS.filter((one) => DRIZZLE_CASES.includes(one)),
      expected,
      async (one) => full(await ours.execute(built(one))),
    )
    await all.run(
      'breakwater/db batch',
      READS.filter((one) => DRIZZLE_CASES.includes(one)),
      expected,
      async (one) => full((await ours.batch([ours.execute(built(one))]))[0]),
    )
    await ours.transaction(async (tx) => {
      const safe = READS.filter(
        (one) => DRIZZLE_CASES.includes(one) && !/^(set|select set_config|fetch)/.test(one.sql),
      )
      await all.run('breakwater/db transaction', safe, expected, async (one) =>
        full(await tx.execute(built(one))),
      )
    })
  } finally {
    await pool.end()
  }
}

async function compareConcurrency(all: Differential, url: string): Promise<void> {
  const http = neon(url)
  const pool = new Pool({ connectionString: url, max: 5 })
  try {
    const numbers = Array.from({ length: 60 }, (_, n) => n)
    await Promise.all(
      numbers.map(async (n) => {
        const query = 'select $1::int as n, pg_sleep(0.002) is null as slept, repeat($1::text, 50) as r'
        const rows = n % 2 === 0 ? await http.query(query, [n]) : (await pool.query(query, [n])).rows
        all.note('concurrency', String(n), show([{ n, slept: false, r: String(n).repeat(50) }]), show(rows))
      }),
    )
  } finally {
    await pool.end()
  }
}

/**
 * Asks the same of Postgres by `pg` and by every way through the Neon stand-in: `neon()`, `Client` and `Pool` of
 * `@neondatabase/serverless`, both of Drizzle's drivers for it, and `breakwater/db`.
 *
 * @param options.url an empty database, whose owner the URL names; it gets tables
 * @param options.endpoint the stand-in's base URL
 * @param options.every takes one case in so many on each way; default 1
 */
export async function compareNeon(options: {
  readonly url: string
  readonly endpoint: string
  readonly every?: number
}): Promise<Comparison> {
  const { url, endpoint, every = 1 } = options
  const reference = new pg.Client(url)
  reference.on('error', () => {})
  await reference.connect()
  const { fetchEndpoint, wsProxy, useSecureWebSocket } = neonConfig
  // Drizzle's neon-http changes how everyone reads these types.
  const changed = [1082, 1114, 1184, 1186, 1115, 1182, 1185, 1187, 1231]
  const parsers = changed.map((id) => [id, types.getTypeParser(id, 'text')] as const)
  neonConfig.fetchEndpoint = () => `${endpoint}/sql`
  neonConfig.wsProxy = () => `${endpoint.replace(/^http:\/\//, '')}/v2`
  neonConfig.useSecureWebSocket = false
  try {
    await reference.query(SETUP)
    const all = new Differential(reference, every)
    await compareHttp(all, url)
    await compareBatches(all, url, reference)
    await compareSockets(all, url)
    await compareConcurrency(all, url)
    await compareDrizzle(all, url, endpoint, reference)
    return { compared: all.compared, differing: all.differing }
  } finally {
    neonConfig.fetchEndpoint = fetchEndpoint
    neonConfig.wsProxy = wsProxy
    neonConfig.useSecureWebSocket = useSecureWebSocket
    for (const [id, parser] of parsers) types.setTypeParser(id, parser)
    await reference.end()
  }
}

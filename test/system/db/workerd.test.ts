import { join } from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { TABLES } from './tables.ts'

// As an application does it: the database lives at module scope, requests come and go.
const SOURCE = `
import { env } from 'cloudflare:workers'
import { eq, sql } from 'drizzle-orm'
import { runWork } from './src/core/index.ts'
import { createDatabase } from './src/db/index.ts'
import { people } from './test/system/db/tables.ts'

const db = createDatabase({ url: env.DATABASE_URL, endpoint: env.NEON_ENDPOINT, lockTimeout: '10 s' })

const routes = {
  async select() {
    return await db.select().from(people).orderBy(people.id)
  },
  async batch() {
    const [one, two] = await db.batch([db.execute(sql\`select 1 as n\`), db.select({ id: people.id }).from(people)])
    return { one: one.rows, two }
  },
  async transaction() {
    return db.transaction(async (tx) => {
      const [row] = await tx.select().from(people).where(eq(people.id, 1)).for('update')
      await tx.update(people).set({ age: row.age + 1 }).where(eq(people.id, 1))
      return row.age + 1
    })
  },
  async duplicate() {
    await db.insert(people).values({ id: 1, email: 'ada@example.com' })
  },
  async late() {
    await db.execute(sql\`select pg_sleep(30)\`)
  },
}

export default {
  fetch(request, _, context) {
    const url = new URL(request.url)
    const budget = url.searchParams.get('budget')
    const spans = []
    const work = {
      kind: 'request', id: 'x', trace: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true },
      signal: request.signal, ...(budget && { deadline: Date.now() + Number(budget) }),
      waitUntil: (promise) => context.waitUntil(promise), record: (span) => spans.push(span.name), facts: new Map(),
    }
    return runWork(work, async () => {
      try {
        return Response.json({ value: await routes[url.pathname.slice(1)]() ?? null, spans })
      } catch (error) {
        return Response.json({ failure: error.failure ?? String(error), constraint: error.constraint, spans })
      }
    })
  },
}
`

let scratch: ScratchDatabase
let miniflare: Miniflare

beforeAll(async () => {
  scratch = await scratchDatabase({ migrations: false })
  await scratch.pool.query(TABLES)
  await scratch.pool.query(
    "insert into people (id, email, age, born) values (1, 'ada@example.com', 0, '1815-12-10Z')",
  )
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, resolveDir: join(import.meta.dirname, '../../..'), loader: 'ts' },
    bundle: true,
    format: 'esm',
    write: false,
    external: ['cloudflare:*', 'node:*'],
    conditions: ['workerd', 'worker', 'browser'],
  })
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: outputFiles[0]?.text ?? '',
      compatibilityDate: '2026-10-01',
      host: '127.0.0.1',
      port: 0,
      bindings: {
        // A host that exists nowhere, as a production URL's does on a developer's machine.
        DATABASE_URL: scratch.url.replace(/@[^/]+/, '@ep-cool-1-pooler.eu-central-1.aws.neon.tech'),
        NEON_ENDPOINT: scratch.endpoint,
      },
    }),
  )
})

afterAll(() => miniflare?.dispose())

async function get(
  path: string,
): Promise<{ value?: unknown; failure?: string; constraint?: string; spans: string[] }> {
  const response = await miniflare.dispatchFetch(`http://localhost/${path}`)
  return (await response.json()) as never
}

it('answers statements and batches inside workerd', async () => {
  expect((await get('select')).value).toMatchObject([{ id: 1, age: 0, born: '1815-12-10T00:00:00.000Z' }])
  expect((await get('batch')).value).toEqual({ one: [{ n: 1 }], two: [{ id: 1 }] })
  expect(await get('duplicate')).toMatchObject({ failure: 'unique-violation', constraint: 'people_pkey' })
})

it('serves many requests at once from one database at module scope, none with another’s connection', async () => {
  const answers = await Promise.all(
    Array.from({ length: 24 }, (_, n) => get(n % 3 === 0 ? 'select' : n % 3 === 1 ? 'transaction' : 'batch')),
  )
  expect(answers.filter(({ failure }) => failure !== undefined)).toEqual([])
  const ages = answers.filter((_, n) => n % 3 === 1).map(({ value }) => value as number)
  expect(ages.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

it('ends a statement at the request’s deadline', async () => {
  expect(await get('late?budget=200')).toMatchObject({ failure: 'outcome-unknown' })
})

it('keeps no connection open after the answer', async () => {
  await get('transaction')
  for (let n = 0; ; n++) {
    const { rows } = await scratch.pool.query(
      "select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name like 'pkg:npm/%neondatabase%' and state like 'idle in%'",
    )
    if (rows[0].n === 0) break
    expect(n).toBeLessThan(100)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

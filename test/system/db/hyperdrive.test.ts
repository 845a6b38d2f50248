import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { TABLES } from './tables.ts'

// The binding as it is in local development: miniflare passes bytes on to the server, without a pool.
const SOURCE = `
import { env } from 'cloudflare:workers'
import { eq, sql } from 'drizzle-orm'
import { Client } from 'pg'
import { runWork } from './src/core/index.ts'
import { createDatabase } from './src/db/index.ts'
import { people } from './test/system/db/tables.ts'

const db = createDatabase({ url: () => env.HYPERDRIVE.connectionString, client: Client, lockTimeout: '10 s' })

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
  async failing() {
    await db.transaction(async (tx) => {
      await tx.update(people).set({ age: 99 }).where(eq(people.id, 1))
      throw new Error('on purpose')
    }).catch(() => {})
    return await db.select({ age: people.age }).from(people).where(eq(people.id, 1))
  },
  async backend() {
    const pid = async () => (await db.execute(sql\`select pg_backend_pid() as pid\`)).rows[0].pid
    return new Set([await pid(), await pid(), await pid()]).size
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

const NODE = builtinModules.filter((name) => !name.startsWith('_'))

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
    // What pg requires, workerd has; a bundle of ES modules needs a way to ask for it.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire('/')" },
    external: ['cloudflare:*', 'node:*', ...NODE, 'pg-native'],
    conditions: ['workerd', 'worker', 'browser'],
  })
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: outputFiles[0]?.text ?? '',
      compatibilityDate: '2026-10-01',
      compatibilityFlags: ['nodejs_compat'],
      host: '127.0.0.1',
      port: 0,
      hyperdrives: { HYPERDRIVE: scratch.url },
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

it('answers statements, batches and transactions through the binding', async () => {
  expect((await get('select')).value).toMatchObject([{ id: 1, age: 0, born: '1815-12-10T00:00:00.000Z' }])
  expect((await get('batch')).value).toEqual({ one: [{ n: 1 }], two: [{ id: 1 }] })
  expect((await get('transaction')).value).toBe(1)
  expect((await get('failing')).value).toEqual([{ age: 1 }])
  expect(await get('duplicate')).toMatchObject({ failure: 'unique-violation', constraint: 'people_pkey' })
})

it('needs one connection a request, and none of another request', async () => {
  expect((await get('backend')).value).toBe(1)
  const answers = await Promise.all(
    Array.from({ length: 18 }, (_, n) => get(n % 3 === 0 ? 'select' : n % 3 === 1 ? 'transaction' : 'batch')),
  )
  expect(answers.filter(({ failure }) => failure !== undefined)).toEqual([])
  const ages = answers.filter((_, n) => n % 3 === 1).map(({ value }) => value as number)
  expect(ages.sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7])
})

it('ends a statement at the request’s deadline', async () => {
  expect(await get('late?budget=300')).toMatchObject({ failure: 'outcome-unknown' })
})

it('keeps no connection open after the answer', async () => {
  await get('transaction')
  await expect
    .poll(
      async () => {
        const { rows } = await scratch.pool.query(
          `select count(*)::int as n from pg_stat_activity where datname = current_database() and state like 'idle%'
          and pid <> pg_backend_pid() and application_name = ''`,
        )
        return rows[0].n
      },
      { timeout: 10_000 },
    )
    .toBeLessThanOrEqual(scratch.pool.totalCount)
})

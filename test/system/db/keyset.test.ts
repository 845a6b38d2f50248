import { type KeysetColumn, keyset } from 'breakwater/db'
import { and, eq, getTableColumns, sql } from 'drizzle-orm'
import { index, integer, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { rejection } from './support.ts'

const SECRET = 'a secret of the tests, long enough'
const notes = pgTable(
  'notes',
  {
    id: uuid().primaryKey(),
    owner: integer().notNull(),
    kind: text().notNull(),
    at: timestamp('at', { withTimezone: true }).notNull(),
    seen: timestamp('seen'),
  },
  (t) => [index('notes_at').on(t.at, t.id)],
)

let scratch: ScratchDatabase
beforeAll(async () => {
  scratch = await scratchDatabase({ migrations: false })
  // Microseconds apart, and many at the same moment: what a JavaScript Date cannot tell from each other.
  await scratch.pool.query(`
    create table notes (id uuid primary key, owner int not null, kind text not null, at timestamptz not null, seen timestamp);
    create index notes_at on notes (at, id);
    insert into notes select gen_random_uuid(), n % 3, 'kind ''' || n % 4 || '" ü', timestamptz '2026-01-01' + (n / 4) * interval '1 microsecond'
      from generate_series(1, 300) n`)
})

const orders: readonly (readonly [KeysetColumn, ...KeysetColumn[]])[] = [
  [[notes.id, 'asc']],
  [
    [notes.at, 'desc'],
    [notes.id, 'desc'],
  ],
  [
    [notes.kind, 'asc'],
    [notes.at, 'desc'],
    [notes.id, 'asc'],
  ],
]

async function walk(
  by: (typeof orders)[number],
  limit: number,
  between?: () => Promise<unknown>,
): Promise<string[]> {
  const list = keyset({ name: 'notes', secrets: [SECRET], by, maxLimit: 500 })
  const ids: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await list({ after, limit, scope: 'owner 1' })
    const rows = await scratch.db
      .select({ ...getTableColumns(notes), cursor: page.cursor })
      .from(notes)
      .where(and(eq(notes.owner, 1), page.where))
      .orderBy(...page.orderBy)
      .limit(page.limit)
    const { items, next } = await page.finish(rows)
    expect(items.length).toBeLessThanOrEqual(limit)
    ids.push(...items.map(({ id }) => id))
    await between?.()
    if (next === undefined) return ids
    after = next
  }
}

describe('paging by key', () => {
  it('gives every row once and in order, whatever the order and the size of the pages', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...orders), fc.integer({ min: 7, max: 130 }), async (by, limit) => {
        const whole = await walk(by, 400)
        expect(whole).toHaveLength(100)
        expect(await walk(by, limit)).toEqual(whole)
      }),
      { numRuns: 8 },
    )
  })

  it('neither doubles nor hides a row while others come and go', async () => {
    const by = orders[1]
    if (by === undefined) throw new Error('no order')
    const before = await walk(by, 400)
    const add = () => scratch.pool.query(`insert into notes values (gen_random_uuid(), 1, 'new', now())`)
    const ids = await walk(by, 20, add)
    expect(ids.filter((id) => before.includes(id))).toEqual(before)
    expect(new Set(ids).size).toBe(ids.length)
    await scratch.pool.query(`delete from notes where kind = 'new'`)
  })

  it('goes straight to its place in the index', async () => {
    const list = keyset({ name: 'notes', secrets: [SECRET], by: orders[1] ?? [[notes.id, 'asc']] })
    const first = await list({ limit: 5 })
    const rows = await scratch.db
      .select({ id: notes.id, cursor: first.cursor })
      .from(notes)
      .orderBy(...first.orderBy)
      .limit(first.limit)
    const { next } = await first.finish(rows)
    const page = await list({ after: next, limit: 5 })
    const query = scratch.db
      .select()
      .from(notes)
      .where(page.where)
      .orderBy(...page.orderBy)
      .limit(page.limit)
    const { sql: statement, params } = query.toSQL()
    const client = await scratch.pool.connect()
    await client.query('begin; set local enable_seqscan = off; set local enable_sort = off')
    const plan = await client.query(`explain ${statement}`, params)
    await client.query('rollback')
    client.release()
    const lines = plan.rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(lines).toMatch(/Index Scan Backward using notes_at/)
    expect(lines).toMatch(/Index Cond: \(ROW\(at, id\) </)
  })
})

describe('cursors', () => {
  const list = (options: Partial<Parameters<typeof keyset>[0]> = {}) =>
    keyset({ name: 'notes', secrets: [SECRET], by: [[notes.id, 'asc']], ...options })
  const cursorOf = async (source = list(), scope?: string) => {
    const page = await source({ limit: 1, scope })
    const rows = [{ cursor: '["00000000-0000-0000-0000-000000000001"]' }, { cursor: '["x"]' }]
    return (await page.finish(rows)).next ?? ''
  }

  it('are refused by another list, another order, another scope, and when made up or changed', async () => {
    const cursor = await cursorOf()
    await list()({ after: cursor })
    const wrong = [
      list({ name: 'other' })({ after: cursor }),
      list({ by: [[notes.id, 'desc']] })({ after: cursor }),
      list({ secrets: ['another secret of the tests, long enough'] })({ after: cursor }),
      list()({ after: cursor, scope: 'someone else' }),
      list()({ after: `${cursor.slice(0, -2)}AA` }),
      list()({ after: btoa('["00000000-0000-0000-0000-000000000001"]') }),
      list()({ after: 'x'.repeat(5000) }),
    ]
    for (const attempt of await Promise.allSettled(wrong)) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'bad-request', status: 400 } })
    }
  })

  it('outlive a rotation of the secret', async () => {
    const cursor = await cursorOf()
    const fresh = 'the next secret of the tests, long enough'
    await list({ secrets: [fresh, SECRET] })({ after: cursor })
    expect(await rejection(list({ secrets: [fresh] })({ after: cursor }))).toMatchObject({ status: 400 })
  })

  it('refuse any change of a byte', async () => {
    const cursor = await cursorOf(list(), 'me')
    await fc.assert(
      fc.asyncProperty(fc.nat(cursor.length - 1), fc.constantFrom(...'AZaz09-_'), async (at, letter) => {
        const changed = cursor.slice(0, at) + letter + cursor.slice(at + 1)
        if (changed === cursor) return
        expect(await rejection(list()({ after: changed, scope: 'me' }))).toMatchObject({ status: 400 })
      }),
      { numRuns: 100 },
    )
  })

  it.each([0, -1, 1.5, 'many', '-3'])('refuse a limit of %s', async (limit) => {
    expect(await rejection(list()({ limit }))).toMatchObject({ status: 400 })
  })

  it('cut a limit that is too high', async () => {
    expect((await list()({ limit: '100000' })).limit).toBe(201)
  })
})

it.each([
  ['columns that may be null', { by: [[notes.seen, 'asc']] }],
  ['short secrets', { secrets: ['short'] }],
  ['no secret', { secrets: [] }],
  ['a limit above the highest', { limit: 500 }],
])('refuses %s when it is built', (_, wrong) => {
  expect(() =>
    keyset({ name: 'n', secrets: [SECRET], by: [[notes.id, 'asc']], ...(wrong as object) }),
  ).toThrow(TypeError)
})

it('leaves no offset in what it makes', async () => {
  const page = await keyset({ name: 'n', secrets: [SECRET], by: [[notes.id, 'asc']] })()
  const query = scratch.db
    .select()
    .from(notes)
    .where(page.where ?? sql`true`)
    .orderBy(...page.orderBy)
    .limit(page.limit)
  expect(query.toSQL().sql).not.toMatch(/offset/i)
})

import { createDatabase } from 'breakwater/db'
import {
  checkDatabase,
  checkUrls,
  createQueryHistory,
  type Finding,
  findDrift,
  modelOf,
  modelOfCatalog,
  type RunSql,
} from 'breakwater/db-health'
import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'

let scratch: ScratchDatabase
let admin: pg.Pool
let looker: pg.PoolClient
let run: RunSql
beforeAll(async () => {
  scratch = await scratchDatabase()
  admin = new pg.Pool({ connectionString: scratch.superuserUrl, max: 8 })
  admin.on('error', () => {})
  looker = await admin.connect()
  run = async (text) => (await looker.query(text)).rows
  await admin.query(`create extension if not exists pg_stat_statements`)
})
afterAll(async () => {
  looker.release()
  await admin.end()
})

const ids = (found: readonly Finding[]): string[] => found.map((one) => one.id)

describe('a live database in trouble', () => {
  let found: readonly Finding[]
  const holding: pg.PoolClient[] = []
  beforeAll(async () => {
    await admin.query(`
      create table broken (id serial primary key, a int, note text);
      insert into broken (a, note) select n % 10, md5(n::text) from generate_series(1, 30000) n;
      alter table broken add constraint positive check (a > 5) not valid;
      select setval('broken_id_seq', 2000000000); analyze broken`)
    await admin.query('create unique index concurrently broken_a on broken (a)').catch(() => {})
    await admin.query('create table unseen (id int primary key, t text) with (autovacuum_enabled = off)')
    await admin.query(`insert into unseen select n, repeat('x', 100) from generate_series(1, 20000) n`)
    const reader = await admin.connect()
    for (let i = 0; i < 30; i++)
      await reader.query('select count(*) from broken where note = $1', [String(i)])
    await reader.query('select pg_stat_force_next_flush()')
    reader.release()
    const quiet = await checkDatabase(run)
    // One waits for a lock that an idle transaction holds.
    const holder = await admin.connect()
    await holder.query('begin; lock table broken')
    const waiter = await admin.connect()
    const waiting = waiter.query('select 1 from broken limit 1')
    waiting.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 1300))
    found = [...quiet, ...(await checkDatabase(run))]
    await holder.query('rollback')
    await waiting
    holding.push(holder, waiter)
  })
  afterAll(() => {
    for (const client of holding) client.release()
  })

  it.each([
    ['DB-5', /broken was read from end to end/],
    ['DB-7', /Reads all of broken/],
    ['DB-8', /index on broken \(note\) would help/],
    ['DB-9', /broken_a is invalid/],
    ['DB-10', /positive on broken is not validated/],
    ['DB-11', /broken.id has used 93 %/],
    ['DB-15', /unseen was never analysed/],
    ['DB-20', /waits .* s for a lock/],
    ['DB-21', /statement_timeout is not set/],
    ['DB-24', /is a superuser/],
  ])('%s says so', (id, words) => {
    expect(
      found
        .filter((one) => one.id === id)
        .map((one) => one.message)
        .join('\n'),
    ).toMatch(words)
  })

  it('gives statements to run that do run', async () => {
    const one = found.find(({ id }) => id === 'DB-9')
    await admin.query(`delete from broken where id not in (select min(id) from broken group by a)`)
    await admin.query(one?.hint ?? '')
    const validate = found.find(({ id }) => id === 'DB-10')?.hint ?? ''
    await admin.query('delete from broken where a <= 5')
    await admin.query(validate)
    await admin.query(found.find(({ id }) => id === 'DB-15')?.hint ?? '')
    const again = ids(await checkDatabase(run))
    expect(again).not.toContain('DB-9')
    expect(again).not.toContain('DB-10')
    expect(again).not.toContain('DB-15')
  })

  it('says everything in short and without values', () => {
    for (const { message, docs, id } of found) {
      expect(message.length).toBeLessThan(80)
      expect(docs).toBe(`docs/db.md#${id.toLowerCase()}`)
    }
  })
})

describe('drift', () => {
  it('is found column by column, with the statement that mends it', async () => {
    const fresh = await scratchDatabase({ migrations: false })
    await fresh.pool.query(`create table things (id uuid primary key, size int not null, extra text);
      create table stray (id uuid primary key); create index things_size on things (size) where size > 3`)
    const things = pgTable('things', { id: uuid().primaryKey(), size: integer(), name: text().notNull() })
    const live = await modelOfCatalog(async (query) => (await fresh.pool.query(query)).rows)
    const found = findDrift(modelOf({ things }), live)
    expect(found.map((one) => one.message)).toEqual([
      'things.size refuses null, declared otherwise',
      'things.name is missing',
      'things.extra is not declared',
      'Index things_size on things is not declared',
      'Table stray is not declared',
    ])
    for (const { hint } of found) await fresh.pool.query(hint.replace(' concurrently', ''))
    const mended = await modelOfCatalog(async (query) => (await fresh.pool.query(query)).rows)
    expect(findDrift(modelOf({ things }), mended).map((one) => one.message)).toEqual([
      'things.name takes null, declared otherwise',
    ])
  })
})

it('knows the pooled address from the direct one', () => {
  const pooled = 'postgresql://a:b@ep-x-pooler.eu.aws.neon.tech/c'
  const direct = 'postgresql://a:b@ep-x.eu.aws.neon.tech/c'
  expect(checkUrls({ pooled, direct })).toEqual([])
  expect(ids(checkUrls({ pooled: direct, direct: pooled }))).toEqual(['DB-23', 'DB-23'])
  expect(checkUrls({ pooled: 'postgresql://a:b@127.0.0.1/c' })).toEqual([])
})

describe('the history of statements', () => {
  it('writes down differences, survives a reset, and finds what got slower', async () => {
    const db = createDatabase({ url: scratch.superuserUrl, client: pg.Client })
    const told: string[] = []
    const reporter = { captureMessage: (message: string) => void told.push(message) }
    const history = createQueryHistory({ db, reporter, every: 1 })
    const ask = (times: number) =>
      Promise.all(
        Array.from({ length: times }, () => admin.query('select count(*) as asked from breakwater.users')),
      )
    const calls = async () => {
      const { rows } = await admin.query(
        `select sum(calls)::int as calls from breakwater.query_history where text like '%as asked%'`,
      )
      return rows[0]?.calls
    }
    await ask(3)
    expect(await history.snapshot()).toBeGreaterThan(0)
    expect(await calls()).toBe(0) // since when these ran is not known
    await ask(4)
    await history.snapshot()
    expect(await calls()).toBe(4)
    await admin.query('select pg_stat_statements_reset()')
    await ask(2)
    await history.snapshot()
    expect(await calls()).toBe(6)

    expect(await createQueryHistory({ db }).snapshot()).toBe(0) // ten minutes are not over
    await admin.query(`insert into breakwater.query_history
      select 'statement', 'k', t, 'select slow', 100, ms, 0, 0, 0, 0
      from (values (now() - interval '7 days', 500), (now() - interval '1 hour', 5000)) v (t, ms)`)
    await admin.query(`insert into breakwater.query_history
      select 'table', 'public.big', now() - n * interval '1 day', null, 20, 0, 50000 - n * 4000, 0, 0, 0 from generate_series(0, 5) n`)
    expect((await history.report()).map((one) => one.message)).toEqual([
      '50 ms, was 5: select slow',
      'public.big grows, and was read from end to end 20 times',
    ])
    expect(told).toHaveLength(2)
  })

  it('does without the extension', async () => {
    const bare = await scratchDatabase()
    const superuser = new pg.Pool({ connectionString: bare.superuserUrl, max: 1 })
    await superuser.query('drop extension if exists pg_stat_statements')
    await superuser.end()
    expect(await createQueryHistory({ db: bare.db }).snapshot()).toBeUndefined()
  })
})

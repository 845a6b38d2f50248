import { createDatabase, isPostgresError, readFromPrimary } from 'breakwater/db'
import { eq, sql } from 'drizzle-orm'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type PgBouncer, pgbouncerPath, startPgBouncer } from './pgbouncer.ts'
import { everythingIn, rejection, testWork } from './support.ts'
import { people, TABLES } from './tables.ts'

let scratch: ScratchDatabase
beforeAll(async () => {
  scratch = await scratchDatabase({ migrations: false })
  await scratch.pool.query(TABLES)
})

const path = pgbouncerPath()
if (path === undefined)
  console.warn('skipped: tests behind PgBouncer, which is not installed (apt-get install pgbouncer)')

const roads = [
  ['pg, straight to Postgres', async () => undefined],
  ...(path === undefined
    ? []
    : [['pg through PgBouncer in transaction mode', () => startPgBouncer(path, scratch.url)] as const]),
] as const

describe.each(roads)('%s', (_, start) => {
  let bouncer: PgBouncer | undefined
  let db: ReturnType<typeof createDatabase>
  beforeAll(async () => {
    bouncer = await start()
    db = createDatabase({
      url: bouncer?.url ?? scratch.url,
      client: pg.Client,
      timeout: 2000,
      lockTimeout: 300,
    })
    await scratch.pool.query('delete from letters; delete from people')
  })
  afterAll(() => bouncer?.stop())

  it('reads and writes as Neon does', async () => {
    const [made] = await db
      .insert(people)
      .values({ id: 1, email: 'ann@example.com', extra: { a: 1 }, born: new Date(0) })
      .returning()
    expect(made).toEqual({ id: 1, email: 'ann@example.com', age: null, extra: { a: 1 }, born: new Date(0) })
    expect(await db.select().from(people)).toEqual([made])
    expect(await db.select().from(people)).toEqual(await scratch.db.select().from(people))
  })

  it('names the constraint and hides the values', async () => {
    const error = await rejection(
      Promise.resolve(db.insert(people).values({ id: 2, email: 'ann@example.com' })),
    )
    expect(isPostgresError(error, 'unique-violation', 'people_email_key')).toBe(true)
    expect(everythingIn(error)).not.toContain('ann@example.com')
  })

  it('does all of a batch, or nothing', async () => {
    await rejection(
      db.batch([
        db.insert(people).values({ id: 10, email: 'x@example.com' }),
        db.insert(people).values({ id: 1, email: 'y@example.com' }),
      ]),
    )
    expect(await db.select().from(people).where(eq(people.id, 10))).toEqual([])
  })

  it('serves forty units of work at once on few connections, with no setting of one in another', async () => {
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        testWork().run(async () => {
          const inside = await db.transaction(async (tx) => {
            const { rows } = await tx.execute(
              sql`select current_setting('statement_timeout') as t, ${n}::int as n`,
            )
            return rows[0]
          })
          expect(inside).toEqual({ t: '2s', n })
          const { rows } = await db.execute(sql`select current_setting('statement_timeout') as t`)
          expect(rows[0]).toEqual({ t: '0' })
        }),
      ),
    )
  })

  it('keeps the limits of a transaction', async () => {
    const slow = db.transaction((tx) => tx.execute(sql`select pg_sleep(10)`))
    expect(isPostgresError(await rejection(slow), 'timeout')).toBe(true)
  })

  it('uses one connection for a unit of work, and lets go of it', async () => {
    const work = testWork()
    const pids = await work.run(async () => {
      const seen: unknown[] = []
      for (let i = 0; i < 5; i++) {
        seen.push((await db.execute(sql`select pg_backend_pid() as pid`)).rows[0]?.['pid'])
      }
      return seen
    })
    expect(pids).toHaveLength(5)
    expect(work.spans.filter(({ op }) => op === 'db.connect')).toHaveLength(1)
    expect(
      work.spans.filter(({ op }) => op === 'db.query').map(({ attributes }) => attributes?.['rows']),
    ).toEqual([1, 1, 1, 1, 1])
    if (bouncer !== undefined) return
    await expect
      .poll(async () => {
        const { rows } = await scratch.pool.query(
          'select count(*)::int as n from pg_stat_activity where pid = $1',
          [pids[0]],
        )
        return rows[0].n
      })
      .toBe(0)
  })
})

describe('a server that goes away', () => {
  it('leaves a change in doubt in doubt, and repeats what surely did not happen', async () => {
    const db = createDatabase({ url: scratch.url, client: pg.Client })
    const kill = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      await scratch.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()`,
      )
    }
    const [error] = await Promise.all([
      rejection(db.execute(sql`select pg_sleep(5)`) as Promise<unknown>),
      kill(),
    ])
    expect(['unavailable', 'outcome-unknown']).toContain((error as { failure?: string }).failure)
    const nobody = createDatabase({ url: 'postgresql://a:b@127.0.0.1:1/c', client: pg.Client })
    expect(
      isPostgresError(await rejection(nobody.execute(sql`select 1`) as Promise<unknown>), 'unavailable'),
    ).toBe(true)
  })
})

describe('a read replica', () => {
  it('is read until the work has written, or says that it must see everything', async () => {
    // Another database stands in for a replica that lags behind.
    const lagging = await scratchDatabase({ migrations: false })
    await lagging.pool.query(TABLES)
    const options = { url: scratch.url, replica: lagging.url, client: pg.Client }
    const db = createDatabase(options)
    await scratch.pool.query(`insert into people (id, email) values (77, 'primary@example.com')`)
    const count = async () => (await db.select().from(people).where(eq(people.id, 77))).length

    await testWork().run(async () => {
      expect(await count()).toBe(0)
      await db.update(people).set({ age: 5 }).where(eq(people.id, 77))
      expect(await count()).toBe(1)
    })
    await testWork().run(async () => {
      await db.transaction(async (tx) => void (await tx.select().from(people)))
      expect(await count()).toBe(1)
    })
    await testWork().run(async () => {
      readFromPrimary()
      expect(await count()).toBe(1)
    })
    // A failed write may have happened, and outside of any work nobody knows what was written.
    await testWork().run(async () => {
      await rejection(Promise.resolve(db.insert(people).values({ id: 77, email: 'again@example.com' })))
      expect(await count()).toBe(1)
    })
    expect(await count()).toBe(1)
  })
})

it('refuses both roads at once', () => {
  expect(() =>
    createDatabase({ url: 'postgresql://a:b@c/d', client: pg.Client, endpoint: 'http://127.0.0.1:1' }),
  ).toThrow(TypeError)
})

import { createDatabase, type Database, isPostgresError } from 'breakwater/db'
import { eq, sql } from 'drizzle-orm'
import { afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { createNeonApp } from '../../../src/local/neon/index.ts'
import { serveStandIn } from '../../../src/local/server.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { everythingIn, rejection, testWork } from './support.ts'
import { letters, people, schema, TABLES } from './tables.ts'

let scratch: ScratchDatabase
let db: Database<typeof schema>

beforeAll(async () => {
  scratch = await scratchDatabase({ migrations: false })
  await scratch.pool.query(TABLES)
  db = createDatabase({ url: scratch.url, endpoint: scratch.endpoint, schema })
})

beforeEach(async () => {
  await scratch.pool.query('truncate people cascade')
  await scratch.pool.query("insert into people (id, email, age) values (1, 'ada@example.com', 36)")
})

afterEach(() => scratch.standIn.faults.clear())

/** Requests and WebSockets the stand-in saw meanwhile. */
async function traffic(run: () => Promise<unknown>): Promise<{ requests: number; sockets: number }> {
  const before = scratch.standIn.stats()
  await run()
  const after = scratch.standIn.stats()
  return {
    requests: (after.requests['POST /sql'] ?? 0) - (before.requests['POST /sql'] ?? 0),
    sockets: after.webSockets.connections - before.webSockets.connections,
  }
}

describe('statements', () => {
  it('are Drizzle’s, typed, with values as the schema says', async () => {
    const born = new Date('1815-12-10T00:00:00Z')
    const [made] = await db
      .insert(people)
      .values({ id: 2, email: 'b@example.com', extra: { likes: ['maps'] }, born })
      .returning()
    expect(made).toEqual({ id: 2, email: 'b@example.com', age: null, extra: { likes: ['maps'] }, born })
    const [row] = await db.select().from(people).where(eq(people.id, 2))
    expect(row).toEqual(made)
    expectTypeOf(row?.born).toEqualTypeOf<Date | null | undefined>()
    await db.update(people).set({ age: 21 }).where(eq(people.id, 2))
    expect(await db.$count(people, eq(people.age, 21))).toBe(1)
    await db.insert(letters).values({ id: 1, personId: 2 })
    const found = await db.query.people.findFirst({ where: eq(people.id, 2), with: { letters: true } })
    expect(found?.letters).toEqual([{ id: 1, personId: 2 }])
    expect(found?.born).toEqual(born)
    const raw = await db.execute<{ n: number }>(sql`select ${1}::int + 1 as n`)
    expect(raw.rows).toEqual([{ n: 2 }])
    expect(raw.rowCount).toBe(1)
  })

  it('take one round trip each, and so does a batch', async () => {
    expect(await traffic(() => db.select().from(people))).toEqual({ requests: 1, sockets: 0 })
    expect(
      await traffic(() =>
        db.batch([
          db.insert(people).values({ id: 3, email: 'c@example.com' }),
          db.select({ id: people.id }).from(people),
          db.execute(sql`select 1 as one`),
        ]),
      ),
    ).toEqual({ requests: 1, sockets: 0 })
  })

  it('leave the driver’s own way of reading values alone', async () => {
    const { neon, types } = await import('@neondatabase/serverless')
    expect(types.getTypeParser(1184)('2024-01-01 00:00:00+00')).toBeInstanceOf(Date)
    await db.select().from(people)
    const http = neon(scratch.url.replace(/@[^/]+/, `@${new URL(scratch.endpoint).host}`))
    expect((await http`select now() as at`)[0]?.['at']).toBeInstanceOf(Date)
  })
})

describe('a batch', () => {
  it('happens whole or not at all', async () => {
    const failing = db.batch([
      db.insert(people).values({ id: 4, email: 'd@example.com' }),
      db.insert(people).values({ id: 5, email: 'ada@example.com' }),
    ])
    expect(await rejection(failing)).toMatchObject({
      failure: 'unique-violation',
      constraint: 'people_email_key',
    })
    expect(await db.$count(people)).toBe(1)
    const [inserted, rows] = await db.batch([
      db.insert(people).values({ id: 4, email: 'd@example.com' }).returning({ id: people.id }),
      db.select({ email: people.email }).from(people).orderBy(people.id),
    ])
    expect(inserted).toEqual([{ id: 4 }])
    expect(rows).toEqual([{ email: 'ada@example.com' }, { email: 'd@example.com' }])
  })

  it('keeps to its isolation level and its promise to change nothing', async () => {
    const [{ rows }] = await db.batch(
      [db.execute(sql`select current_setting('transaction_isolation') as level`)],
      { isolation: 'repeatable read' },
    )
    expect(rows).toEqual([{ level: 'repeatable read' }])
    expect(await rejection(db.batch([db.delete(people)], { readOnly: true }))).toMatchObject({
      sqlState: '25006',
      failure: 'rejected',
    })
  })
})

describe('a failure', () => {
  it.each([
    [
      'unique-violation',
      'conflict',
      409,
      () => db.insert(people).values({ id: 9, email: 'ada@example.com' }),
    ],
    ['foreign-key-violation', 'conflict', 409, () => db.insert(letters).values({ id: 1, personId: 471147 })],
    [
      'check-violation',
      'internal',
      500,
      () => db.insert(people).values({ id: 9, email: 'e@example.com', age: 471147 }),
    ],
    [
      'not-null-violation',
      'internal',
      500,
      () => db.insert(people).values({ id: 9, email: null as never, age: 471147 }),
    ],
    ['rejected', 'internal', 500, () => db.execute(sql`select ${'471147x'}::text::int`)],
    ['rejected', 'internal', 500, () => db.execute(sql`select * from nowhere where a = ${'471147'}`)],
  ] as const)('is told as %s, without a value in it', async (failure, code, status, run) => {
    const error = await rejection(Promise.resolve(run()))
    expect(isPostgresError(error, failure)).toBe(true)
    expect(error).toMatchObject({ code, status })
    const text = everythingIn(error)
    expect(text).not.toContain('471147')
    expect(text).not.toContain('ada@example.com')
    expect(text).not.toContain(new URL(scratch.url).password)
  })

  it('names constraint, table and column', async () => {
    expect(await rejection(db.insert(people).values({ id: 9, email: null as never }))).toMatchObject({
      table: 'people',
      column: 'email',
      schema: 'public',
      sqlState: '23502',
    })
    expect(await rejection(db.insert(people).values({ id: 1, email: 'x' }))).toMatchObject({
      table: 'people',
      constraint: 'people_pkey',
    })
  })

  it('of a wrong password is the database being unavailable, and is not tried again', async () => {
    const wrong = createDatabase({
      url: scratch.url.replace(/:[^:@]+@/, ':wrong@'),
      endpoint: scratch.endpoint,
    })
    const seen = await traffic(async () => {
      const error = await rejection(wrong.execute(sql`select 1`))
      expect(error).toMatchObject({ failure: 'unavailable', code: 'dependency-unavailable' })
    })
    expect(seen.requests).toBe(1)
  })
})

describe('a broken line', () => {
  it('is mended without anyone noticing when the statement never arrived', async () => {
    const { port } = scratch.standIn
    const elsewhere = await serveStandIn(createNeonApp({ connect: scratch.url }))
    const other = createDatabase({ url: scratch.url, endpoint: elsewhere.url })
    await elsewhere.stop()
    // Comes back while the statement is being sent again.
    const back = new Promise<{ stop(): Promise<void> }>((resolve) =>
      setTimeout(
        () => resolve(serveStandIn(createNeonApp({ connect: scratch.url }), { port: elsewhere.port })),
        5,
      ),
    )
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () =>
        other.insert(people).values({ id: Math.floor(Math.random() * 1e9), email: crypto.randomUUID() }),
      ),
    )
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ failure: 'unavailable' })
    }
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
    expect(await db.$count(people)).toBe(1 + outcomes.filter(({ status }) => status === 'fulfilled').length)
    await (await back).stop()
    expect(port).toBe(scratch.standIn.port)
  })

  it('gives up after three attempts', async () => {
    scratch.standIn.faults.set([{ status: 503 }])
    const { spans, run } = testWork()
    expect(await rejection(run(async () => db.insert(people).values({ id: 7, email: 'x' })))).toMatchObject({
      failure: 'unavailable',
      headers: { 'Retry-After': '1' },
    })
    expect(spans.map(({ ok, attributes }) => [ok, attributes?.['attempt']])).toEqual([
      [false, 1],
      [false, 2],
      [false, 3],
    ])
  })

  it('leaves a change of unknown outcome, which is not sent twice', async () => {
    scratch.standIn.faults.set([{ drop: 'after', times: 1 }])
    const seen = await traffic(async () => {
      expect(await rejection(db.insert(people).values({ id: 7, email: 'x' }))).toMatchObject({
        failure: 'outcome-unknown',
        code: 'outcome-unknown',
      })
    })
    expect(seen.requests).toBe(1)
    expect(await db.$count(people, eq(people.id, 7))).toBe(1)
  })

  it('costs a plain select one more round trip, and a hand-written one an error', async () => {
    scratch.standIn.faults.set([{ drop: 'after', times: 1 }])
    expect(await traffic(async () => expect(await db.select().from(people)).toHaveLength(1))).toMatchObject({
      requests: 2,
    })
    scratch.standIn.faults.set([{ drop: 'after', times: 1 }])
    expect(await rejection(db.execute(sql`select nextval('no_matter')`))).toMatchObject({
      failure: 'outcome-unknown',
    })
    // A select that begins with a change is a change.
    scratch.standIn.faults.set([{ drop: 'after', times: 1 }])
    const made = db.$with('made').as(db.insert(people).values({ id: 8, email: 'y' }).returning())
    expect(await rejection(db.with(made).select().from(made))).toMatchObject({ failure: 'outcome-unknown' })
    expect(await db.$count(people, eq(people.id, 8))).toBe(1)
  })
})

describe('the unit of work', () => {
  it('sees a span for every round trip, named by the shape of the statement', async () => {
    const { spans, run } = testWork()
    await run(async () => {
      await db.select().from(people).where(eq(people.email, 'ada@example.com'))
      await db.execute(sql.raw("select 'ada@example.com' as secret"))
      await db.batch([db.select().from(letters), db.select().from(letters)])
      await rejection(db.insert(people).values({ id: 1, email: 'ada@example.com' }))
    })
    expect(spans.map(({ op, name, ok }) => ({ op, name, ok }))).toEqual([
      {
        op: 'db.query',
        name: 'select "id", "email", "age", "extra", "born" from "people" where "people"."email" = ?',
        ok: true,
      },
      { op: 'db.query', name: 'select ? as secret', ok: true },
      { op: 'db.query', name: 'batch: select "id", "person_id" from "letters"', ok: true },
      {
        op: 'db.query',
        name: 'insert into "people" ("id", "email", "age", "extra", "born") values (…)',
        ok: false,
      },
    ])
    expect(JSON.stringify(spans)).not.toContain('ada@')
    expect(spans[2]?.attributes).toMatchObject({ statements: 2 })
  })

  it('ends a statement at its deadline, on the server too', async () => {
    const { run } = testWork(300)
    const slow = run(async () => db.execute(sql`select pg_sleep(30), 'late statement'`))
    expect(await rejection(slow)).toMatchObject({ failure: 'outcome-unknown' })
    const late = testWork(200)
    scratch.standIn.faults.set([{ hang: true, times: 1 }])
    expect(await rejection(late.run(async () => db.select().from(people)))).toMatchObject({
      failure: 'timeout',
      code: 'deadline-exceeded',
    })
    for (let n = 0; ; n++) {
      const { rows } = await scratch.pool.query(
        "select 1 from pg_stat_activity where query like '%late statement%' and state = 'active' and pid <> pg_backend_pid()",
      )
      if (rows.length === 0) break
      expect(n).toBeLessThan(250)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })

  it('sends nothing when no time is left or the caller has gone', async () => {
    const over = testWork(0)
    const gone = testWork()
    gone.abort()
    const seen = await traffic(async () => {
      expect(await rejection(over.run(async () => db.delete(people)))).toMatchObject({ failure: 'timeout' })
      expect(await rejection(gone.run(async () => db.delete(people)))).toMatchObject({ failure: 'timeout' })
      expect(await rejection(gone.run(() => db.transaction(async () => 1)))).toMatchObject({
        failure: 'timeout',
      })
    })
    expect(seen).toEqual({ requests: 0, sockets: 0 })
  })
})

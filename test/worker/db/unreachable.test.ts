import { runWork, type Span, type Work } from 'breakwater/core'
import { createDatabase, isPostgresError } from 'breakwater/db'
import { sql } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { expect, it } from 'vitest'

const things = pgTable('things', { id: integer('id') })

// Nothing listens on this port.
const db = createDatabase({ url: 'postgresql://app:secret@db.example/app', endpoint: 'http://127.0.0.1:1' })

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

function work(spans: Span[]): Work {
  return {
    kind: 'request',
    id: 'w1',
    trace: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true },
    signal: new AbortController().signal,
    waitUntil: () => {},
    record: (span) => spans.push(span),
    facts: new Map(),
  }
}

it('tells in workerd that a database cannot be reached, after three attempts at a plain select', async () => {
  const spans: Span[] = []
  const error = await runWork(work(spans), () => rejection(Promise.resolve(db.select().from(things))))
  expect(isPostgresError(error, 'unavailable')).toBe(true)
  expect(spans.map(({ name, ok }) => ({ name, ok }))).toEqual(
    Array.from({ length: 3 }, () => ({ name: 'select "id" from "things"', ok: false })),
  )
})

it('tells the same of a transaction', async () => {
  expect(await rejection(db.transaction(async () => 1))).toMatchObject({
    failure: 'unavailable',
    status: 503,
  })
})

it('does not claim to know what became of a change', async () => {
  const error = await rejection(Promise.resolve(db.execute(sql`delete from things`)))
  // workerd says the same of a refused connection and of one that broke.
  expect(isPostgresError(error, 'outcome-unknown')).toBe(true)
})

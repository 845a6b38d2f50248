import { examineQueries, fill, ownColumns, ownQueries, ownSchema, requireGoodPlans } from 'breakwater/testing'
import type pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { breakwater } from '../../../src/db/schema.ts'
import { scratchDatabase } from '../support/postgres.ts'
import { createTables } from './tables.ts'

const ROWS = 20_000
let client: pg.PoolClient

beforeAll(async () => {
  const scratch = await scratchDatabase({ migrations: false })
  await createTables(scratch.pool, { breakwater, ...ownSchema })
  client = await scratch.pool.connect()
  await fill({ client, schema: ownSchema, rows: ROWS, columns: ownColumns })
})

afterAll(() => client.release())

it('answers every query of the SDK from an index', async () => {
  const examined = await requireGoodPlans({ client, queries: ownQueries })
  expect(examined.length).toBeGreaterThan(40)
  expect(new Set(examined.map(({ name }) => name)).size).toBe(ownQueries.length)
})

it.each([
  ['sessions_user_id_idx', 'sessions'],
  ['verification_tokens_user_id_idx', 'verification_tokens'],
  ['jobs_unsent_idx', 'jobs'],
  ['sessions_expires_at_idx', 'sessions'],
  ['uploads_unfinished_idx', 'uploads'],
])('tells when %s is gone', async (index, table) => {
  await client.query('begin')
  const { rows } = await client.query(`select pg_get_indexdef($1::regclass) as made`, [`breakwater.${index}`])
  await client.query('commit')
  await client.query(`drop index breakwater.${index}`)
  try {
    const faults = (await examineQueries({ client, queries: ownQueries })).flatMap((one) => one.faults)
    expect(faults.map(({ message }) => message).join('\n')).toMatch(new RegExp(`of ${table}\\b`))
  } finally {
    await client.query(rows[0].made)
  }
})

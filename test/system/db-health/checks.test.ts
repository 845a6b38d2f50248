import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  checkSchema,
  lintMigrations,
  liveChecks,
  modelOfSnapshot,
  schemaCheckTitles,
} from 'breakwater/db-health'
import { expect, it } from 'vitest'
import { scratchDatabase } from '../support/postgres.ts'
import { catchPlans, catchWithoutDatabase, falseAlarms } from './catch.ts'

const root = join(import.meta.dirname, '..', '..', '..')

it.each(catchWithoutDatabase())('without a database it catches $name', ({ expected, found }) => {
  expect(found).toContain(expected)
})

it('catches bad plans of statements', async () => {
  const scratch = await scratchDatabase({ migrations: false })
  const client = await scratch.pool.connect()
  try {
    const missed = (await catchPlans(client)).filter(({ expected, found }) => !found.includes(expected))
    expect(missed).toEqual([])
  } finally {
    client.release()
  }
})

it('says nothing of well made schemas, declared, migrated or live', async () => {
  const fresh = async () => (await scratchDatabase({ migrations: false })).pool
  expect(await falseAlarms(fresh)).toEqual([])
})

it('says nothing of the SDK’s own tables and migration', () => {
  const snapshot = JSON.parse(readFileSync(join(root, 'drizzle/meta/0000_snapshot.json'), 'utf8'))
  expect(checkSchema(modelOfSnapshot(snapshot))).toEqual([])
  const name = '0000_initial.sql'
  expect(lintMigrations([{ name, sql: readFileSync(join(root, 'drizzle', name), 'utf8') }])).toEqual([])
})

it('explains every check in the docs, in short words', () => {
  const docs = existsSync(join(root, 'docs/db.md')) ? readFileSync(join(root, 'docs/db.md'), 'utf8') : ''
  const titles = [
    ...schemaCheckTitles,
    ...liveChecks,
    { id: 'DB-8', title: '' },
    { id: 'DB-23', title: '' },
    { id: 'DB-26', title: '' },
    { id: 'DB-29', title: '' },
  ]
  for (const { id, title } of titles) {
    expect(docs, id).toMatch(new RegExp(`^### ${id}$`, 'm'))
    expect(title.length, id).toBeLessThan(100)
  }
})

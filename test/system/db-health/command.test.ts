import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'breakwater-drizzle-'))
let scratch: ScratchDatabase
beforeAll(async () => {
  cpSync(join(root, 'drizzle'), folder, { recursive: true })
  scratch = await scratchDatabase()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function breakwater(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { DATABASE_URL: _, DATABASE_URL_DIRECT: __, ...env } = process.env
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'src/cli/main.ts'), ...args],
      { cwd: root, env },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

it('finds nothing in the SDK’s own migration, and no drift after it', async () => {
  expect(await breakwater('db', 'lint')).toMatchObject({ code: 0, stdout: '1 migrations, 0 findings.\n' })
  expect(await breakwater('db', 'drift', '--url', scratch.url)).toMatchObject({
    code: 0,
    stdout: 'No drift.\n',
  })
})

it('names the file, the line and the way out of what locks a live table', async () => {
  const journal = JSON.parse(readFileSync(join(folder, 'meta/_journal.json'), 'utf8'))
  journal.entries.push({ ...journal.entries[0], idx: 1, tag: '0001_worse' })
  writeFileSync(join(folder, 'meta/_journal.json'), JSON.stringify(journal))
  writeFileSync(
    join(folder, '0001_worse.sql'),
    `-- breakwater: allow index
create index fine on breakwater.users (created_at);
--> statement-breakpoint
create index locks on breakwater.users (updated_at);
`,
  )
  const { code, stdout } = await breakwater('db', 'lint', '--folder', folder)
  expect(code).toBe(1)
  expect(stdout).toMatch(
    /^0001_worse\.sql:4 An index on breakwater\.users without CONCURRENTLY stops its writes\n/,
  )
  expect(stdout).toContain('-- breakwater: allow index')
})

it('shows drift with the statement that mends it, and the doctor looks at the database', async () => {
  await scratch.pool.query(
    'alter table breakwater.users drop column disabled_at; drop index breakwater.users_email_key',
  )
  const { code, stdout } = await breakwater('db', 'drift', '--url', scratch.url)
  expect(code).toBe(1)
  expect(stdout).toContain('alter table breakwater.users add column disabled_at timestamp with time zone;')
  expect(stdout).toContain('Index users_email_key on breakwater.users is missing')
  await scratch.pool.query('create table public.keyless (a int)')
  const doctor = await breakwater('doctor', '--database', scratch.url, '--fail-on', 'never')
  expect(doctor.code).toBe(0)
  expect(doctor.stdout).toMatch(/✗ error {2}DB-2 .*\n +keyless has no primary key\n.*\n +docs\/db\.md#db-2/)
  const password = new URL(scratch.url).password
  expect(doctor.stdout).not.toContain(password)
})

it('finds the index that a declared query lacks, once it is told where queries are declared', async () => {
  await scratch.pool.query(
    'create table if not exists public.parcels (id uuid primary key, city text, sent timestamptz)',
  )
  const queries = join(folder, 'queries.ts')
  writeFileSync(
    queries,
    `import { desc, eq, sql } from '${join(root, 'node_modules/drizzle-orm/index.js')}'
    import { pgTable, QueryBuilder, text, timestamp, uuid } from '${join(root, 'node_modules/drizzle-orm/pg-core/index.js')}'
    import { critical } from 'breakwater/db'
    const parcels = pgTable('parcels', { id: uuid().primaryKey(), city: text(), sent: timestamp({ withTimezone: true }) })
    const all = () => new QueryBuilder().select().from(parcels)
    critical('parcels.of-city', all().where(eq(parcels.city, sql.placeholder('city'))).orderBy(desc(parcels.sent)).limit(20))
    critical('parcels.one', all().where(eq(parcels.id, sql.placeholder('id'))))`,
  )
  const args = ['doctor', '--database', scratch.url, '--fail-on', 'never'] as const
  const untold = await breakwater(...args)
  expect(untold.stdout).toMatch(/DB-25 .*\n? *.*--queries/)
  const told = await breakwater(...args, '--queries', queries)
  expect(told.stdout).toContain('parcels.of-city finds no index on (city, sent)')
  expect(told.stdout).toContain('create index concurrently on parcels (city, sent);')
  expect(told.stdout).not.toContain('parcels.one')
  const none = await breakwater(...args, '--queries', join(folder, 'nowhere.ts'))
  expect(none.code).not.toBe(0)
  expect(none.stderr).toContain('nowhere.ts does not exist')
})

it('says when no database answers', async () => {
  const doctor = await breakwater(
    'doctor',
    '--database',
    'postgresql://a:s3cret@127.0.0.1:1/b',
    '--fail-on',
    'never',
  )
  expect(doctor.stdout).toContain('the database cannot be reached (ECONNREFUSED)')
  expect(doctor.stdout + doctor.stderr).not.toContain('s3cret')
})

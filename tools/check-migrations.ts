import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { missingSql } from './hand-written-sql.ts'

/** Fails when the Drizzle schema, or SQL written by hand beside one, says something that the SQL in `drizzle/` does not. */
const folder = mkdtempSync(join(tmpdir(), 'breakwater-migrations-'))
try {
  cpSync('drizzle', folder, { recursive: true })
  const before = globSync(`${folder}/*.sql`).length
  const run = spawnSync('drizzle-kit', ['generate', '--name=drift'], {
    encoding: 'utf8',
    env: { ...process.env, MIGRATIONS: relative('.', folder) },
  })
  if (run.status !== 0) {
    console.error(`${run.stdout}${run.stderr}`)
    process.exit(1)
  }
  if (globSync(`${folder}/*.sql`).length !== before) {
    console.error('The schema has changed since the last migration: run npm run db:generate')
    process.exit(1)
  }
  if (missingSql('drizzle').length > 0) {
    console.error(
      'Hand-written SQL (src/*/schema.sql) is in no migration: run npm run db:generate -- --custom',
    )
    process.exit(1)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

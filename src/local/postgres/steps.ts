import type { Client } from 'pg'

/** What cannot run inside a transaction. */
const ALONE =
  /^\s*(?:create\s+(?:unique\s+)?index\s+concurrently|drop\s+index\s+concurrently|reindex\b.*\bconcurrently|vacuum|alter\s+type\b.*\badd\s+value|(?:create|drop|alter)\s+(?:database|tablespace)|alter\s+system)\b/is

/** Comments say nothing to Postgres, and may stand before the statement. */
const bare = (statement: string): string =>
  statement.replace(/^\s*(?:--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|\s+)*/, '')

/** Whether a migration has a statement that no transaction may hold. */
export function runsAlone(statements: readonly string[]): boolean {
  return statements.some((statement) => ALONE.test(bare(statement)))
}

/** A migration, as drizzle-orm reads it. */
export interface StepwiseMigration {
  readonly hash: string
  readonly folderMillis: number
  readonly sql: readonly string[]
}

const STEPS = 'drizzle.breakwater_steps'

/** An index that an earlier try left half built is in the way of the next, and of every write. */
async function dropInvalid(client: Client, statement: string, log: (line: string) => void): Promise<void> {
  const made =
    /index\s+concurrently\s+(?:if\s+not\s+exists\s+)?("(?:[^"]|"")+"|\w+)\s+on\s+(?:only\s+)?(?:("(?:[^"]|"")+"|\w+)\.)?/i.exec(
      statement,
    )
  if (made === null) return
  const plain = (name: string | undefined): string | null =>
    name === undefined
      ? null
      : name.startsWith('"')
        ? name.slice(1, -1).replaceAll('""', '"')
        : name.toLowerCase()
  const { rows } = await client.query<{ name: string }>(
    `select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indexrelid
     join pg_namespace n on n.oid = c.relnamespace
     where not i.indisvalid and c.relname = $1 and n.nspname = coalesce($2, current_schema())`,
    [plain(made[1]), plain(made[2])],
  )
  for (const { name } of rows) {
    log(`  drops ${name}, which was left half built`)
    await client.query(`drop index concurrently ${name}`)
  }
}

/**
 * Runs a migration one statement at a time, outside of any transaction. Each that is done is written down, together
 * with itself where it can be, so that a run that was cut short goes on after it. Records the migration at the end, as
 * drizzle-orm does.
 */
export async function applyStepwise(
  client: Client,
  migration: StepwiseMigration,
  log: (line: string) => void,
): Promise<void> {
  await client.query('create schema if not exists drizzle')
  await client.query(
    'create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)',
  )
  await client.query(
    `create table if not exists ${STEPS} (hash text not null, step int not null, done_at timestamptz not null default now(), primary key (hash, step))`,
  )
  const statements = migration.sql.filter((statement) => bare(statement).trim() !== '')
  const { rows } = await client.query<{ step: number }>(`select step from ${STEPS} where hash = $1`, [
    migration.hash,
  ])
  const done = new Set(rows.map(({ step }) => step))
  const mark = (step: number) =>
    client.query(`insert into ${STEPS} (hash, step) values ($1, $2)`, [migration.hash, step])
  for (const [step, statement] of statements.entries()) {
    const what = bare(statement).replaceAll(/\s+/g, ' ').slice(0, 70)
    if (done.has(step)) {
      log(`  ${step + 1}/${statements.length} was done before: ${what}`)
      continue
    }
    const began = Date.now()
    log(`  ${step + 1}/${statements.length} ${what}`)
    if (ALONE.test(bare(statement))) {
      await dropInvalid(client, statement, log)
      await client.query(statement)
      await mark(step)
    } else {
      await client.query('begin')
      try {
        await client.query(statement)
        await mark(step)
        await client.query('commit')
      } catch (error) {
        await client.query('rollback')
        throw error
      }
    }
    log(`  ${step + 1}/${statements.length} done in ${((Date.now() - began) / 1000).toFixed(1)} s`)
  }
  await client.query('begin')
  await client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [
    migration.hash,
    migration.folderMillis,
  ])
  await client.query(`delete from ${STEPS} where hash = $1`, [migration.hash])
  await client.query('commit')
}

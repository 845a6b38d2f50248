import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { applyStepwise, runsAlone, type StepwiseMigration } from './steps.ts'

/** Options of {@link migrate}. */
export interface MigrateOptions {
  /** The database to change. Not through a pooler: the lock and the settings belong to one connection. */
  readonly url: string
  /** The folder `drizzle-kit generate` writes to. */
  readonly folder: string
  /** Told what happens. Default: nobody. */
  readonly log?: (line: string) => void
  /** Milliseconds a statement may wait for a lock before everything is rolled back. Default 5000. */
  readonly lockTimeout?: number
  /** Milliseconds to wait for another migration that is under way. Default 60000. */
  readonly patience?: number
}

/** What {@link migrate} did. */
export interface MigrationOutcome {
  /** How many migrations were applied now; 0 when there was nothing to do. */
  readonly applied: number
  /** How many the journal of the database holds. */
  readonly total: number
}

/** Why migrations were not applied, in a sentence. Nothing was changed. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

/** Any number, the same for everyone: two migrations of one database wait for each other. */
const LOCK = 8_027_431_190_664_213n

/** The journal of drizzle-orm's own migrator. */
const JOURNAL = 'drizzle.__drizzle_migrations'

async function journalLength(client: pg.Client): Promise<number> {
  const found = await client.query<{ there: string | null }>('select to_regclass($1)::text as there', [
    JOURNAL,
  ])
  if (found.rows[0]?.there == null) return 0
  const counted = await client.query<{ n: number }>(`select count(*)::int as n from ${JOURNAL}`)
  return counted.rows[0]?.n ?? 0
}

/** The migrator's own rule: what is not newer than the newest that was applied is not looked at. */
async function isUpToDate(client: pg.Client, folder: string): Promise<boolean> {
  const { rows } = await client.query<{ newest: string | null }>(
    `select max(created_at) as newest from ${JOURNAL}`,
  )
  const journal: { entries?: { when?: unknown }[] } = JSON.parse(
    readFileSync(join(folder, 'meta', '_journal.json'), 'utf8'),
  )
  const newest = Number(rows[0]?.newest ?? Number.NaN)
  return journal.entries?.every(({ when }) => typeof when === 'number' && when <= newest) === true
}

async function newestApplied(client: pg.Client): Promise<number | undefined> {
  if ((await journalLength(client)) === 0) return undefined
  const { rows } = await client.query<{ newest: string | null }>(
    `select max(created_at) as newest from ${JOURNAL}`,
  )
  const newest = rows[0]?.newest
  return newest == null ? undefined : Number(newest)
}

/** All in one transaction, as drizzle-orm does it. */
async function applyTogether(client: pg.Client, folder: string): Promise<void> {
  const [{ drizzle }, { migrate: applyMigrations }] = await Promise.all([
    import('drizzle-orm/node-postgres'),
    import('drizzle-orm/node-postgres/migrator'),
  ])
  try {
    await applyMigrations(drizzle(client), { migrationsFolder: folder })
  } catch (error) {
    throw explain(error)
  }
}

/** Each statement by itself, since one of them cannot be in a transaction; what was done stays done. */
async function applyOneByOne(
  client: pg.Client,
  migrations: readonly StepwiseMigration[],
  log: (line: string) => void,
): Promise<void> {
  for (const [at, migration] of migrations.entries()) {
    log(`Migration ${at + 1} of ${migrations.length}, statement by statement`)
    try {
      await applyStepwise(client, migration, log)
    } catch (error) {
      const { message } = explain(error)
      throw new MigrationError(
        `${message.replace(' and were rolled back', '')} What was done before it stays done: run it again to go on.`,
        { cause: error },
      )
    }
  }
}

function explain(error: unknown): MigrationError {
  const cause = (error as { cause?: unknown }).cause ?? error
  const { code, message, where } = cause as { code?: string; message?: string; where?: string }
  const what = message ?? String(cause)
  const hint =
    code === '55P03'
      ? ' Something holds a lock on a table that a migration changes; it did not wait, so that nothing else waits behind it.'
      : ''
  return new MigrationError(
    `Migrations failed and were rolled back: ${what}${where ? ` (${where})` : ''}.${hint}`,
    {
      cause,
    },
  )
}

/**
 * Applies what is missing of a folder of migrations, in order, and records it in drizzle-orm's own journal: in one
 * transaction, or, when one of them has a statement that no transaction may hold, statement by statement and resumable. Two that run at once wait for each other by an advisory lock; a statement that cannot
 * have its lock soon gives up, rather than queue everyone behind it.
 *
 * @throws MigrationError when the folder is no such folder, or a migration fails; nothing has changed then, but for
 * statements that could not be in a transaction, which the message says
 */
export async function migrate(options: MigrateOptions): Promise<MigrationOutcome> {
  const { url, folder, log = () => {}, lockTimeout = 5000, patience = 60_000 } = options
  if (!existsSync(join(folder, 'meta', '_journal.json'))) {
    throw new MigrationError(`${folder} holds no migrations: run drizzle-kit generate first.`)
  }
  const client = new pg.Client({ connectionString: url, application_name: 'breakwater migrate' })
  // A lost connection shows in the query that was under way.
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(`set lock_timeout = ${Math.floor(patience)}`)
    try {
      await client.query('select pg_advisory_lock($1)', [LOCK])
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03') throw error
      throw new MigrationError('Another migration of this database is under way and does not end.')
    }
    await client.query(`set lock_timeout = ${Math.floor(lockTimeout)}`)
    const before = await journalLength(client)
    if (before > 0 && (await isUpToDate(client, folder))) {
      log(`Nothing to migrate (${before} applied before)`)
      return { applied: 0, total: before }
    }
    // Loaded when there is something to do: it takes more memory than all the rest of the local stack.
    const { readMigrationFiles } = await import('drizzle-orm/migrator')
    const newest = await newestApplied(client)
    const missing = readMigrationFiles({ migrationsFolder: folder }).filter(
      ({ folderMillis }) => newest === undefined || folderMillis > newest,
    )
    if (missing.some(({ sql }) => runsAlone(sql))) await applyOneByOne(client, missing, log)
    else await applyTogether(client, folder)
    const total = await journalLength(client)
    log(
      total === before
        ? `Nothing to migrate (${total} applied before)`
        : `Applied ${total - before} migrations`,
    )
    return { applied: total - before, total }
  } finally {
    // Ending the session gives the lock back.
    await client.end()
  }
}

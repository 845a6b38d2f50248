import process from 'node:process'
import pg from 'pg'
import type { Query } from '../../backup/catalog.ts'
import { databaseFingerprint } from '../../backup/fingerprint.ts'
import type { Manifest } from '../../backup/manifest.ts'
import { CommandFailed, UsageError } from '../command.ts'

/** Variables that name the database in use. */
const IN_USE = ['DATABASE_URL', 'DATABASE_URL_DIRECT']

/**
 * Refuses a target that is the database the backup came from, or the one in use here. There is no flag to say
 * otherwise: restore beside, look, then move the application.
 */
export async function refuseSource(target: string, manifest: Manifest): Promise<void> {
  if (!URL.canParse(target) || !/^postgres(ql)?:$/.test(new URL(target).protocol)) {
    throw new UsageError('--to needs a Postgres URL: postgresql://user:password@host/database')
  }
  const fingerprint = await databaseFingerprint(target)
  if (fingerprint === manifest.source) {
    throw new CommandFailed(
      'The target is the database this backup was taken from. Restore into another, empty one.',
    )
  }
  for (const name of IN_USE) {
    const url = process.env[name]
    if (url !== undefined && URL.canParse(url) && (await databaseFingerprint(url)) === fingerprint) {
      throw new CommandFailed(`The target is the database of ${name}. Restore into another, empty one.`)
    }
  }
}

/** A connection to the target. */
export interface Target {
  readonly client: pg.Client
  readonly query: Query
}

/** @throws CommandFailed with the reason, and without the URL, which holds a password. */
export async function connectTarget(url: string): Promise<Target> {
  const client = new pg.Client({ connectionString: url, application_name: 'breakwater backup restore' })
  // A lost connection shows in the query that was under way.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    throw new CommandFailed(`The target does not answer: ${(error as Error).message}`, { cause: error })
  }
  const query: Query = async (text, values) =>
    (await client.query(text, values as unknown[] | undefined)).rows as Record<string, unknown>[]
  return { client, query }
}

/** Refuses a target that has anything in it that is not an extension's. */
export async function refuseUnlessEmpty(query: Query): Promise<void> {
  const rows = await query(`
    select n.nspname || '.' || c.relname as name
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
      and not exists (select from pg_catalog.pg_depend e
        where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = c.oid and e.deptype = 'e')
    order by 1 limit 1`)
  if (rows[0] !== undefined) {
    throw new CommandFailed(
      `The target is not empty: it has ${String(rows[0]['name'])}. Give an empty database.`,
    )
  }
}

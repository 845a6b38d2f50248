import { type Query, readDigest, readSchema, readSequences, SETTINGS } from '../../backup/catalog.ts'
import type { Manifest, TableEntry } from '../../backup/manifest.ts'
import type { OpenBackup } from '../../backup/store.ts'
import { CommandFailed } from '../command.ts'
import { loadTables } from './load.ts'
import { applyMigrations, migrationsOf } from './migrations.ts'
import { connectTarget, refuseSource, refuseUnlessEmpty, type Target } from './target.ts'

/** What was compared for one table. */
export interface TableReport {
  readonly table: string
  readonly rowsExpected: number
  readonly rowsFound: number
  readonly same: boolean
}

/** What a restore found. */
export interface RestoreReport {
  /** Whether every table and sequence is as it was. When not, the target was left empty. */
  readonly same: boolean
  readonly tables: readonly TableReport[]
  /** Sequences that do not stand where they stood. */
  readonly sequences: readonly string[]
  readonly warnings: readonly string[]
  readonly milliseconds: number
}

/** What a restore needs. */
export interface RestoreOptions {
  readonly backup: OpenBackup
  /** URL of an empty database. */
  readonly to: string
  /** The folder of migrations. */
  readonly migrations: string
  /** Told what is being done. */
  readonly log?: (line: string) => void
}

/** Differences end the transaction like any error. */
class Differs extends Error {}

/**
 * Restores a backup into an empty database, in one transaction: the schema by its migrations, the rows by COPY, the
 * sequences; then compares counts and digests of every table. Unless all is as it was, nothing is kept.
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const { backup, to, log = () => {} } = options
  const { manifest } = backup
  const started = Date.now()
  await refuseSource(to, manifest)
  const migrations = migrationsOf(manifest, options.migrations)
  const target = await connectTarget(to)
  const { client, query } = target
  const warnings = manifest.notCovered.map((what) => `The backup does not hold ${what}.`)
  let report: RestoreReport | undefined
  try {
    await refuseUnlessEmpty(query)
    await query('begin')
    await query('set local statement_timeout = 0')
    await query('set local idle_in_transaction_session_timeout = 0')
    warnings.push(...(await createExtensions(query, manifest)))
    log(`Applying ${migrations.length} migrations`)
    await applyMigrations(client, migrations)
    for (const setting of SETTINGS) await query(setting)
    warnings.push(...(await refuseDrift(query, manifest)))
    await loadTables(client, query, backup, (table) => {
      log(`Loading ${table.schema}.${table.name}: ${table.rows} rows`)
    })
    log('Comparing every table')
    report = { ...(await compare(query, manifest)), warnings, milliseconds: Date.now() - started }
    if (!report.same) throw new Differs()
    await query('commit')
    // Without statistics the first queries would be planned blind.
    await query('analyze')
    return { ...report, milliseconds: Date.now() - started }
  } catch (error) {
    await query('rollback').catch(() => {})
    if (error instanceof Differs && report !== undefined) return report
    throw refused(error)
  } finally {
    await client.end().catch(() => {})
  }
}

/** Postgres's own errors in a sentence; the values they quote are left out. */
function refused(error: unknown): unknown {
  const { code, table, constraint, where } = error as Record<string, unknown>
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return error
  const what = [table && `table ${String(table)}`, constraint && `constraint ${String(constraint)}`]
    .filter(Boolean)
    .join(', ')
  const line = /^COPY (\S+), line (\d+)/.exec(String(where ?? ''))
  const place = what || (line === null ? '' : `table ${line[1]}, row ${line[2]}`)
  return new CommandFailed(
    `The target refused the restore (${code}${place === '' ? '' : `, ${place}`}); nothing was kept.`,
    { cause: error },
  )
}

async function createExtensions(query: Target['query'], manifest: Manifest): Promise<string[]> {
  const warnings: string[] = []
  for (const { name } of manifest.extensions) {
    await query('savepoint extension')
    try {
      await query(`create extension if not exists "${name.replaceAll('"', '""')}"`)
      await query('release savepoint extension')
    } catch (error) {
      // Monitoring extensions are often the platform's; one that the schema needs fails its migration next.
      await query('rollback to savepoint extension')
      warnings.push(`The extension ${name} could not be made: ${(error as Error).message}.`)
    }
  }
  return warnings
}

/** The schema the migrations made must be the one the rows came from. */
async function refuseDrift(query: Query, manifest: Manifest): Promise<string[]> {
  const [server] = await query("select pg_catalog.current_setting('server_version_num') as version")
  const major = (version: number) => Math.floor(version / 10_000)
  const [was, is] = [major(manifest.serverVersion), major(Number(server?.['version']))]
  if (was !== is) {
    // Each major version writes definitions its own way; rows are compared all the same.
    return [`The backup is of Postgres ${was}, the target is ${is}: definitions were not compared.`]
  }
  const found = await readSchema(query)
  const names = new Set([...Object.keys(found), ...Object.keys(manifest.schema)])
  const different = [...names].filter((name) => found[name] !== manifest.schema[name]).sort()
  if (different.length === 0) return []
  const shown = different.slice(0, 5).join(', ')
  const more = different.length > 5 ? ` and ${different.length - 5} more` : ''
  throw new CommandFailed(
    `The live schema had drifted from its migrations when the backup was made: ${shown}${more}. Write the migration that is missing, then restore with it in place.`,
  )
}

async function compare(
  query: Query,
  manifest: Manifest,
): Promise<Pick<RestoreReport, 'same' | 'tables' | 'sequences'>> {
  const tables: TableReport[] = []
  for (const table of manifest.tables) tables.push(await compareTable(query, table))
  const found = new Map(
    (await readSequences(query)).map((one) => [`${one.schema}.${one.name}`, one.lastValue]),
  )
  const sequences = manifest.sequences
    .filter(({ schema, name, lastValue }) => found.get(`${schema}.${name}`) !== lastValue)
    .map(({ schema, name }) => `${schema}.${name}`)
  return { same: tables.every(({ same }) => same) && sequences.length === 0, tables, sequences }
}

async function compareTable(query: Query, table: TableEntry): Promise<TableReport> {
  const { rows, digest } = await readDigest(query, table)
  return {
    table: `${table.schema}.${table.name}`,
    rowsExpected: table.rows,
    rowsFound: rows,
    same: rows === table.rows && digest === table.digest,
  }
}

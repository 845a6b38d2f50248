import { toHex } from '../core/bytes.ts'
import {
  lockTables,
  type Query,
  readDigest,
  readExtensions,
  readMigrations,
  readNotCovered,
  readSchema,
  readSequences,
  readTables,
  SETTINGS,
  type TableInfo,
} from './catalog.ts'
import { type ChunkPlace, sealChunk } from './chunk.ts'
import type { BackupConnection } from './connection.ts'
import { readRanges } from './copy.ts'
import { BackupError } from './errors.ts'
import type { ChunkEntry, Manifest, TableEntry } from './manifest.ts'

/** The parts of a manifest that come from the database. */
export type Snapshot = Pick<
  Manifest,
  'serverVersion' | 'extensions' | 'migrations' | 'schema' | 'tables' | 'sequences' | 'notCovered'
>

/** What reading a snapshot needs. */
export interface SnapshotOptions {
  readonly backup: string
  readonly seal: CryptoKey
  readonly signal: AbortSignal
  /** Stores one sealed chunk. */
  store(place: ChunkPlace, sealed: Uint8Array<ArrayBuffer>): Promise<void>
}

/**
 * Begins a transaction that sees one moment, and takes the lock that keeps backups from running twice. The lock
 * belongs to the transaction, so that it holds behind a transaction pooler too and cannot be left behind.
 * @returns false when another backup is under way.
 */
export async function beginSnapshot(query: Query): Promise<boolean> {
  await query('begin isolation level repeatable read read only')
  // Between two ranges the transaction waits for the bucket; a role's own short limits must not end it.
  await query("set local statement_timeout = '10min'")
  await query("set local idle_in_transaction_session_timeout = '10min'")
  await query("set local lock_timeout = '30s'")
  for (const setting of SETTINGS) await query(setting)
  const [lock] = await query(
    "select pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('breakwater.backup', 0)) as got",
  )
  return lock?.['got'] === true
}

async function readTable(
  connection: BackupConnection,
  table: TableInfo,
  index: number,
  { backup, seal, signal, store }: SnapshotOptions,
): Promise<TableEntry> {
  const name = `${table.schema}.${table.name}`
  const chunks: ChunkEntry[] = []
  let rows = 0
  for await (const range of readRanges(connection, table)) {
    signal.throwIfAborted()
    const place = { backup, table: index, name, chunk: chunks.length }
    const sealed = await sealChunk(seal, place, range.pieces)
    const sha256 = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', sealed)))
    await store(place, sealed)
    chunks.push({ sha256, bytes: sealed.length, rows: range.rows })
    rows += range.rows
  }
  const counted = await readDigest(connection.query, table)
  if (counted.rows !== rows) {
    throw new BackupError('source-changed', `Table ${name} gave ${rows} rows and counts ${counted.rows}.`)
  }
  const { schema, columns } = table
  return { schema, name: table.name, columns, rows, digest: counted.digest, chunks }
}

/** Reads everything, inside the transaction of {@link beginSnapshot}. */
export async function readSnapshot(
  connection: BackupConnection,
  options: SnapshotOptions,
): Promise<Snapshot> {
  const { query } = connection
  const [server] = await query("select pg_catalog.current_setting('server_version_num') as version")
  const found = await readTables(query)
  const rewritten = await lockTables(query, found)
  if (rewritten.length > 0) {
    throw new BackupError(
      'source-changed',
      `Table ${rewritten.join(', ')} was emptied or rewritten just as the backup began; run it again.`,
    )
  }
  const extensions = await readExtensions(query)
  const migrations = await readMigrations(query)
  const schema = await readSchema(query)
  const notCovered = await readNotCovered(query)
  const tables: TableEntry[] = []
  for (const [index, table] of found.entries()) {
    tables.push(await readTable(connection, table, index, options))
  }
  const sequences = await readSequences(query)
  return {
    serverVersion: Number(server?.['version']),
    extensions,
    migrations,
    schema,
    tables,
    sequences,
    notCovered,
  }
}

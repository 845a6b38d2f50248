import { toBase64Url } from '../core/bytes.ts'
import { randomBytes } from '../core/ids.ts'
import { span } from '../core/work.ts'
import { connect } from './connection.ts'
import { databaseFingerprint } from './fingerprint.ts'
import { backupId } from './id.ts'
import { deriveKeys, importKey } from './keys.ts'
import { encodeManifest, type Manifest } from './manifest.ts'
import { type BackupOptions, type ResolvedBackupOptions, resolveBackupOptions } from './options.ts'
import { completeBackups, pruneBackups, removeBackup } from './prune.ts'
import { beginSnapshot, readSnapshot, type Snapshot } from './snapshot.ts'
import { chunkKey, manifestKey } from './store.ts'

/** What came of a run. */
export type BackupResult =
  | {
      readonly status: 'complete'
      readonly id: string
      readonly tables: number
      readonly rows: number
      /** Bytes stored. */
      readonly bytes: number
      readonly milliseconds: number
      /** What the database has and the backup has not, in words: worth an alarm when it is not empty. */
      readonly notCovered: readonly string[]
      /** Backups past their time that were removed. */
      readonly pruned: readonly string[]
    }
  | {
      /** Another backup of this database is under way. */
      readonly status: 'already-running'
    }

/** The newest complete backup, as alarms and health checks want to know it. */
export interface LatestBackup {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Whether a restore of it was shown to work. */
  readonly proven: boolean
}

/** Backups of one database. */
export interface Backup {
  /** Makes a backup and prunes the old ones. Rejects when it could not be made; nothing is left behind then. */
  run(options?: { readonly signal?: AbortSignal }): Promise<BackupResult>
  /** Removes backups past their time; {@link run} does so too. Resolves with the ids removed. */
  prune(): Promise<readonly string[]>
  /** The newest complete backup; undefined when there is none. */
  latest(): Promise<LatestBackup | undefined>
}

/**
 * Backups of a Postgres database into R2, from a Worker's cron trigger: one snapshot, every table, compressed,
 * encrypted, with a signed manifest written last. `npx breakwater backup restore` reads them.
 *
 * @example
 * ```ts
 * const backup = createBackup({ databaseUrl, bucket: env.BACKUPS, encryptionKeys: [env.BACKUP_KEY] })
 * export default { async scheduled() { await backup.run() } }
 * ```
 * @throws TypeError when an option is wrong.
 */
export function createBackup(options: BackupOptions): Backup {
  const resolved = resolveBackupOptions(options)
  const { bucket, prefix, clock, retentionMs } = resolved
  const prune = () => pruneBackups(bucket, { prefix, now: clock(), retentionMs })
  return {
    async run({ signal } = {}) {
      const made = await make(resolved, signal ?? new AbortController().signal)
      return made === undefined ? { status: 'already-running' } : { ...made, pruned: await prune() }
    },
    prune,
    async latest() {
      const all = await completeBackups(bucket, prefix)
      const newest = all.sort((a, b) => b.finishedAt - a.finishedAt)[0]
      return newest && { id: newest.id, startedAt: newest.finishedAt, proven: newest.proven }
    },
  }
}

type Made = Omit<Extract<BackupResult, { status: 'complete' }>, 'pruned'>

async function make(options: ResolvedBackupOptions, signal: AbortSignal): Promise<Made | undefined> {
  const { bucket, prefix, clock } = options
  const master = await importKey(options.encryptionKeys[0] as string)
  const salt = randomBytes(16)
  const keys = await deriveKeys(master, salt)
  const connection = await connect(options.databaseUrl, options.endpoint)
  try {
    if (!(await beginSnapshot(connection.query))) return undefined
    const startedAt = clock()
    const id = backupId(startedAt)
    try {
      const snapshot = await readSnapshot(connection, {
        backup: id,
        seal: keys.seal,
        signal,
        store: async (place, sealed) => {
          await span('object-store', 'put', () => bucket.put(chunkKey(prefix, place), sealed))
        },
      })
      await connection.query('commit')
      const finishedAt = clock()
      const manifest: Manifest = {
        format: 'breakwater-backup',
        version: 1,
        id,
        startedAt: new Date(startedAt).toISOString(),
        finishedAt: new Date(finishedAt).toISOString(),
        source: await databaseFingerprint(options.databaseUrl),
        keyId: master.id,
        salt: toBase64Url(salt),
        ...snapshot,
      }
      // The commit mark: until it is there, none of the rest is a backup.
      await bucket.put(manifestKey(prefix, id), await encodeManifest(manifest, keys))
      return { status: 'complete', id, ...totals(snapshot), milliseconds: finishedAt - startedAt }
    } catch (error) {
      // Should this fail too, pruning removes it a day later.
      await removeBackup(bucket, prefix, id).catch(() => {})
      throw error
    }
  } finally {
    await connection.end().catch(() => {})
  }
}

function totals({ tables, notCovered }: Snapshot): Pick<Made, 'tables' | 'rows' | 'bytes' | 'notCovered'> {
  let rows = 0
  let bytes = 0
  for (const table of tables) {
    rows += table.rows
    for (const chunk of table.chunks) bytes += chunk.bytes
  }
  return { tables: tables.length, rows, bytes, notCovered }
}

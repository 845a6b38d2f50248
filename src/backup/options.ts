import { type Duration, milliseconds } from '../core/time.ts'
import { addressOf } from '../db/endpoint.ts'
import { checkKey } from './keys.ts'

/** How backups are made. */
export interface BackupOptions {
  /** The database, as a role that may read every table. On Neon the direct address; a transaction pooler works too. */
  readonly databaseUrl: string
  /** Base URL of a local stand-in for Neon. Absent in production. */
  readonly endpoint?: string
  /** The R2 bucket that holds backups and nothing else. */
  readonly bucket: R2Bucket
  /**
   * 32 random bytes each, in base64 or hexadecimal; newest first. The first seals, all of them open: to rotate, put a
   * new one in front and drop the old one when the last backup under it is gone.
   */
  readonly encryptionKeys: readonly [string, ...string[]]
  /** How long a backup is kept. The newest is kept however old it is. Default `30 d`. */
  readonly retention?: Duration
  /** Begins every key in the bucket. Default none. */
  readonly prefix?: string
  /** Milliseconds since the epoch. For tests. */
  readonly clock?: () => number
}

/** Options with every default filled in. */
export interface ResolvedBackupOptions {
  readonly databaseUrl: string
  readonly endpoint: string | undefined
  readonly bucket: R2Bucket
  readonly encryptionKeys: readonly string[]
  readonly retentionMs: number
  readonly prefix: string
  readonly clock: () => number
}

const DAY = 86_400_000

/** @throws TypeError when an option is wrong; never repeats a URL or a key. */
export function resolveBackupOptions(options: BackupOptions): ResolvedBackupOptions {
  const { databaseUrl, endpoint, bucket, encryptionKeys, retention = '30 d', prefix = '', clock } = options
  try {
    addressOf(databaseUrl, endpoint)
  } catch (error) {
    throw new TypeError(`backup: databaseUrl: ${(error as Error).message}`)
  }
  if (encryptionKeys.length === 0) throw new TypeError('backup: give at least one encryption key')
  for (const key of encryptionKeys) checkKey(key)
  const retentionMs = milliseconds(retention)
  if (retentionMs < DAY)
    throw new TypeError('backup: a retention of less than a day keeps nothing worth keeping')
  if (!/^([\w.-]+\/)*$/.test(prefix)) throw new TypeError('backup: a prefix ends in a slash')
  return { databaseUrl, endpoint, bucket, encryptionKeys, retentionMs, prefix, clock: clock ?? Date.now }
}

import { fromBase64Url, toBase64Url, toBytes } from '../core/bytes.ts'
import { BackupError } from './errors.ts'
import { type BackupKeys, deriveKeys, type MasterKey } from './keys.ts'

/** One object of a table's rows. */
export interface ChunkEntry {
  /** SHA-256 of the stored bytes, hexadecimal. */
  readonly sha256: string
  /** Stored bytes. */
  readonly bytes: number
  readonly rows: number
}

/** One table. */
export interface TableEntry {
  readonly schema: string
  readonly name: string
  /** In the order of the rows' values. Generated columns are left out. */
  readonly columns: readonly string[]
  readonly rows: number
  /** A sum over the SHA-256 of every row's text: the same rows in any order give the same digest. */
  readonly digest: string
  readonly chunks: readonly ChunkEntry[]
}

/** A sequence and the last value it gave; null when it gave none. */
export interface SequenceEntry {
  readonly schema: string
  readonly name: string
  readonly lastValue: string | null
}

/** What a backup holds. Written last: a backup without one does not exist. */
export interface Manifest {
  readonly format: 'breakwater-backup'
  readonly version: 1
  readonly id: string
  /** ISO 8601. `startedAt` is the moment the data is from. */
  readonly startedAt: string
  readonly finishedAt: string
  /** Tells one database from another without naming it. */
  readonly source: string
  /** As `server_version_num`: 180004 is 18.4. */
  readonly serverVersion: number
  readonly keyId: string
  /** Base64url. */
  readonly salt: string
  readonly extensions: readonly { readonly name: string; readonly version: string }[]
  /** The migrations applied to the database, oldest first, as Drizzle records them. */
  readonly migrations: readonly { readonly hash: string; readonly createdAt: string }[]
  /** Every column, constraint, index, trigger, view and function with a hash of its definition. */
  readonly schema: Readonly<Record<string, string>>
  readonly tables: readonly TableEntry[]
  readonly sequences: readonly SequenceEntry[]
  /** What the database has and the backup has not, in words. */
  readonly notCovered: readonly string[]
}

/** The manifest as it is stored: one line of JSON, one line with its HMAC. */
export async function encodeManifest(manifest: Manifest, keys: BackupKeys): Promise<Uint8Array<ArrayBuffer>> {
  const body = JSON.stringify(manifest)
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', keys.sign, toBytes(body)))
  return toBytes(`${body}\n${toBase64Url(signature)}\n`)
}

function parse(stored: Uint8Array, id: string): { body: string; manifest: Manifest; signature: string } {
  const damaged = (cause?: unknown) =>
    new BackupError('manifest-damaged', `The manifest of backup ${id} is damaged.`, { cause })
  const [body, signature, ...rest] = new TextDecoder().decode(stored).split('\n')
  if (body === undefined || signature === undefined || rest.join('') !== '') throw damaged()
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw damaged(error)
  }
  const { format, version, id: own } = (value ?? {}) as Record<string, unknown>
  if (format !== 'breakwater-backup') throw damaged()
  if (version !== 1) {
    throw new BackupError(
      'unknown-version',
      `Backup ${id} has a manifest of version ${String(version)}, which this release does not read; use the one that made it, or a newer one.`,
    )
  }
  if (own !== id) throw damaged()
  return { body, manifest: value as Manifest, signature }
}

/**
 * Reads a stored manifest and checks its signature, before anything in it is believed.
 * @throws BackupError
 */
export async function decodeManifest(
  stored: Uint8Array,
  id: string,
  masters: readonly MasterKey[],
): Promise<{ manifest: Manifest; keys: BackupKeys }> {
  const { body, manifest, signature } = parse(stored, id)
  const master = masters.find((key) => key.id === manifest.keyId)
  if (master === undefined) {
    throw new BackupError(
      'wrong-key',
      `Backup ${id} was made under the key ${String(manifest.keyId)}, which is not among the keys given (${masters.map((key) => key.id).join(', ')}).`,
    )
  }
  const salt = fromBase64Url(String(manifest.salt))
  const mac = fromBase64Url(signature)
  const keys = salt && (await deriveKeys(master, salt))
  if (!keys || !mac || !(await crypto.subtle.verify('HMAC', keys.sign, mac, toBytes(body)))) {
    throw new BackupError('manifest-damaged', `The manifest of backup ${id} is not the one that was signed.`)
  }
  return { manifest, keys }
}

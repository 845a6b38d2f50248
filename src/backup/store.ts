import { toHex } from '../core/bytes.ts'
import { type ChunkPlace, openChunk } from './chunk.ts'
import { BackupError } from './errors.ts'
import { startOf } from './id.ts'
import type { BackupKeys, MasterKey } from './keys.ts'
import { decodeManifest, type Manifest } from './manifest.ts'

/** Where backups are read from: an R2 bucket, its S3 API, a folder. */
export interface BackupSource {
  /** The bytes under a key; undefined when there are none. */
  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** Every key that begins so. */
  list(prefix: string): Promise<readonly string[]>
}

/** Where a backup's manifest is. */
export function manifestKey(prefix: string, id: string): string {
  return `${prefix}manifests/${id}`
}

/** Where a backup's chunks are. */
export function dataPrefix(prefix: string, id: string): string {
  return `${prefix}data/${id}/`
}

/** Where every backup's chunks are. */
export function dataRoot(prefix: string): string {
  return `${prefix}data/`
}

/** Where one chunk is. */
export function chunkKey(prefix: string, { backup, table, chunk }: ChunkPlace): string {
  return `${dataPrefix(prefix, backup)}${table}/${chunk}`
}

/** Where the proof of a restore is. */
export function proofKey(prefix: string, id: string): string {
  return `${prefix}proofs/${id}`
}

/** A backup whose manifest was read and found true. */
export interface OpenBackup {
  readonly manifest: Manifest
  /** The rows of one chunk, as COPY's text format. */
  chunk(table: number, chunk: number): Promise<Uint8Array<ArrayBuffer>>
}

/** The ids of complete backups, oldest first. */
export async function listBackups(source: BackupSource, prefix: string): Promise<string[]> {
  const start = manifestKey(prefix, '')
  const ids = (await source.list(start)).map((key) => key.slice(start.length))
  return ids.filter((id) => startOf(id) !== undefined).sort()
}

/**
 * Opens a backup: the one named, or the newest.
 * @throws BackupError when there is none, or no key fits, or it is damaged.
 */
export async function openBackup(
  source: BackupSource,
  options: { readonly prefix: string; readonly masters: readonly MasterKey[]; readonly id?: string },
): Promise<OpenBackup> {
  const { prefix, masters } = options
  const id = options.id ?? (await listBackups(source, prefix)).at(-1)
  if (id === undefined) throw new BackupError('no-backup', 'There is no complete backup here.')
  const stored = await source.get(manifestKey(prefix, id))
  if (stored === undefined) throw new BackupError('no-backup', `There is no complete backup ${id} here.`)
  const { manifest, keys } = await decodeManifest(stored, id, masters)
  return { manifest, chunk: (table, chunk) => readChunk(source, prefix, manifest, keys, table, chunk) }
}

async function readChunk(
  source: BackupSource,
  prefix: string,
  manifest: Manifest,
  keys: BackupKeys,
  table: number,
  chunk: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const entry = manifest.tables[table]
  const expected = entry?.chunks[chunk]
  if (entry === undefined || expected === undefined) throw new RangeError('no such chunk')
  const name = `${entry.schema}.${entry.name}`
  const place: ChunkPlace = { backup: manifest.id, table, name, chunk }
  const where = `Chunk ${chunk + 1} of ${entry.chunks.length} of table ${name} in backup ${manifest.id}`
  const sealed = await source.get(chunkKey(prefix, place))
  if (sealed === undefined) throw new BackupError('chunk-missing', `${where} is missing.`)
  const digest = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', sealed)))
  if (digest !== expected.sha256) {
    throw new BackupError('chunk-damaged', `${where} is damaged: its SHA-256 is not the manifest's.`)
  }
  try {
    return await openChunk(keys.seal, place, sealed)
  } catch (cause) {
    throw new BackupError('chunk-damaged', `${where} does not open under its key.`, { cause })
  }
}

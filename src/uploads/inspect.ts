import type { Env } from 'hono'
import { toHex } from '../core/bytes.ts'
import { span } from '../core/work.ts'
import { ARCHIVE_TAIL_BYTES, findDirectory, readDirectory } from './archive.ts'
import { DIMENSION_BYTES, dimensions, hasDimensions } from './dimensions.ts'
import { storageUnavailable } from './errors.ts'
import { unpackedSize } from './gunzip.ts'
import { canStrip, stripMetadata } from './metadata.ts'
import type { ResolvedKind, ResolvedOptions, ScanVerdict } from './options.ts'
import type { Findings, UploadRow } from './records.ts'
import { agreeOnType, HEAD_BYTES, isZip } from './sniff.ts'

/** What processing works with. */
export interface ProcessContext<E extends Env> {
  readonly options: ResolvedOptions<E>
  readonly bucket: R2Bucket
  readonly signal: AbortSignal
}

/** What came of it. `reason` is a word kept with the row. */
export type Verdict =
  | { readonly ok: true; readonly found: Findings }
  | { readonly ok: false; readonly reason: string }

/** A failing bucket is an error that a retry may mend; it is never the upload's fault. */
export async function r2<T>(name: string, fn: () => Promise<T>): Promise<T> {
  try {
    return await span('object-store', name, fn)
  } catch (error) {
    throw storageUnavailable(error)
  }
}

async function readHead(
  bucket: R2Bucket,
  row: UploadRow,
): Promise<{ size: number; version: string; head: Uint8Array } | undefined> {
  const length = row.type === null || hasDimensions(row.type) ? DIMENSION_BYTES : HEAD_BYTES
  const object = await r2('get', () => bucket.get(row.key, { range: { offset: 0, length } }))
  if (object === null) return undefined
  const { size, version } = object
  return { size, version, head: new Uint8Array(await r2('get', () => object.arrayBuffer())) }
}

/** The SHA-256 of what is stored; undefined when it was replaced meanwhile. */
async function hash(bucket: R2Bucket, key: string, version: string): Promise<string | undefined> {
  const object = await r2('get', () => bucket.get(key))
  if (object === null || object.version !== version) {
    await object?.body.cancel()
    return undefined
  }
  const digest = new crypto.DigestStream('SHA-256')
  await r2('get', () => object.body.pipeTo(digest))
  return toHex(new Uint8Array(await digest.digest))
}

/** Judges the stored bytes of an upload: the last look before anybody may read them. */
export async function inspect<E extends Env>(row: UploadRow, context: ProcessContext<E>): Promise<Verdict> {
  const { bucket, options } = context
  const kind = options.kinds.get(row.kind)
  if (kind === undefined) return { ok: false, reason: 'kind-unknown' }
  const stored = await readHead(bucket, row)
  if (stored === undefined) return { ok: false, reason: 'object-missing' }
  if (stored.size !== row.size) return { ok: false, reason: 'size-changed' }
  // Looked at again in what is stored, against the kind as it is declared today.
  const declared = row.type ?? row.declaredType ?? undefined
  const verdict = agreeOnType(stored.head.subarray(0, HEAD_BYTES), declared, kind.types)
  if (!verdict.ok) return { ok: false, reason: 'type-refused' }
  const { type } = verdict
  const size = dimensions(type, stored.head)
  if (size === undefined && hasDimensions(type)) return { ok: false, reason: 'picture-broken' }
  if (size !== undefined && size.width * size.height > kind.maxPixels) {
    return { ok: false, reason: 'picture-too-large' }
  }
  const { version } = stored
  if (isZip(type)) {
    const fault = await archiveFault(bucket, row.key, stored.size, kind)
    if (fault !== undefined) return { ok: false, reason: fault }
  }
  if (type === 'application/gzip') {
    const fault = await gzipFault(bucket, row.key, version, kind)
    if (fault !== undefined) return { ok: false, reason: fault }
  }
  const sha256 = row.sha256 ?? (await hash(bucket, row.key, version))
  if (sha256 === undefined) return { ok: false, reason: 'object-replaced' }
  if (row.announcedSha256 !== null && row.announcedSha256 !== sha256) {
    return { ok: false, reason: 'digest-mismatch' }
  }
  const found = { type, sha256, version, ...size }
  const scanned = await scan(row, found, context)
  if (!scanned.ok) return scanned
  return kind.stripMetadata && canStrip(type) ? strip(bucket, row, found) : { ok: true, found }
}

/** The largest central directory that is read. */
const MAX_DIRECTORY = 4 * 1024 * 1024

/** Why an archive is refused, by its directory; nothing is unpacked. */
async function archiveFault(
  bucket: R2Bucket,
  key: string,
  size: number,
  { archive }: ResolvedKind,
): Promise<string | undefined> {
  const bytes = async (offset: number, length: number): Promise<Uint8Array> => {
    const object = await r2('get', () => bucket.get(key, { range: { offset, length } }))
    return object === null ? new Uint8Array(0) : new Uint8Array(await r2('get', () => object.arrayBuffer()))
  }
  const tail = Math.min(size, ARCHIVE_TAIL_BYTES)
  const directory = findDirectory(await bytes(size - tail, tail), size)
  if (directory === undefined || directory.length > MAX_DIRECTORY) return 'archive-broken'
  const summary = readDirectory(
    directory.length === 0 ? new Uint8Array(0) : await bytes(directory.offset, directory.length),
  )
  if (summary === undefined) return 'archive-broken'
  const tooMuch = summary.files > archive.maxFiles || summary.unpacked > archive.maxUnpackedBytes
  return tooMuch ? 'archive-too-large' : undefined
}

/** Why a gzip is refused: it is unpacked as far as it may go, and thrown away. */
async function gzipFault(
  bucket: R2Bucket,
  key: string,
  version: string,
  { archive }: ResolvedKind,
): Promise<string | undefined> {
  const object = await r2('get', () => bucket.get(key))
  if (object === null || object.version !== version) return 'object-replaced'
  const size = await unpackedSize(object.body, archive.maxUnpackedBytes)
  if (size === undefined) return 'archive-broken'
  return size > archive.maxUnpackedBytes ? 'archive-too-large' : undefined
}

/** Stores a copy without metadata under a key of its own; run again, it stores the same once more. */
async function strip(bucket: R2Bucket, row: UploadRow, found: Findings): Promise<Verdict> {
  const object = await r2('get', () => bucket.get(row.key))
  if (object === null || object.version !== found.version) return { ok: false, reason: 'object-replaced' }
  const clean = stripMetadata(found.type, new Uint8Array(await r2('get', () => object.arrayBuffer())))
  if (clean === undefined) return { ok: false, reason: 'picture-broken' }
  const key = `${row.key}.clean`
  const { version } = await r2('put', () =>
    bucket.put(key, clean, { httpMetadata: { contentType: found.type } }),
  )
  const sha256 = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', clean)))
  return { ok: true, found: { ...found, key, size: clean.length, sha256, version } }
}

async function scan<E extends Env>(
  row: UploadRow,
  { type, sha256, version }: Findings,
  { options, bucket, signal }: ProcessContext<E>,
): Promise<ScanVerdict> {
  if (options.scan === undefined) return { ok: true }
  return options.scan(
    {
      id: row.id,
      kind: row.kind,
      type,
      size: row.size ?? 0,
      sha256,
      async open() {
        const object = await r2('get', () => bucket.get(row.key))
        if (object === null || object.version !== version) throw new Error('the object is gone')
        return object.body
      },
    },
    { signal },
  )
}

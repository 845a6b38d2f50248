import type { Env } from 'hono'
import { toHex } from '../core/bytes.ts'
import { span } from '../core/work.ts'
import { DIMENSION_BYTES, dimensions, hasDimensions } from './dimensions.ts'
import { storageUnavailable } from './errors.ts'
import type { ResolvedOptions, ScanVerdict } from './options.ts'
import {
  endStatement,
  type Findings,
  findUpload,
  markPublished,
  markPurged,
  markScanned,
  type UploadRow,
} from './records.ts'
import { agreeOnType, HEAD_BYTES } from './sniff.ts'
import type { UploadState } from './state.ts'
import { transferOf } from './transfer-records.ts'

/** What processing works with. */
export interface ProcessContext<E extends Env> {
  readonly options: ResolvedOptions<E>
  readonly bucket: R2Bucket
  readonly signal: AbortSignal
}

type Verdict =
  | { readonly ok: true; readonly found: Findings }
  | { readonly ok: false; readonly reason: string }

/** A failing bucket is an error that a retry may mend; it is never the upload's fault. */
async function r2<T>(name: string, fn: () => Promise<T>): Promise<T> {
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

async function inspect<E extends Env>(row: UploadRow, context: ProcessContext<E>): Promise<Verdict> {
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
  const sha256 = row.sha256 ?? (await hash(bucket, row.key, version))
  if (sha256 === undefined) return { ok: false, reason: 'object-replaced' }
  if (row.announcedSha256 !== null && row.announcedSha256 !== sha256) {
    return { ok: false, reason: 'digest-mismatch' }
  }
  const found = { type, sha256, version, ...size }
  const scanned = await scan(row, found, context)
  return scanned.ok ? { ok: true, found } : scanned
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

/** Removes the object of an ended upload. May run any number of times. */
export async function purge<E extends Env>(
  row: Pick<UploadRow, 'id' | 'key'>,
  { options, bucket }: Pick<ProcessContext<E>, 'options' | 'bucket'>,
): Promise<void> {
  const transfer = await transferOf(options.db, row.id)
  const keys = [row.key, ...(transfer?.tailKey ? [transfer.tailKey] : [])]
  await r2('delete', () => bucket.delete(keys))
  // Fails when it was completed or has vanished; what is then left of it vanishes by itself after a week.
  if (transfer?.multipartId)
    await bucket
      .resumeMultipartUpload(row.key, transfer.multipartId)
      .abort()
      .catch(() => {})
  await markPurged(options.db, row.id)
}

/**
 * Takes an upload from `quarantined` to `published` or `rejected`. Each step is taken from the state the row is in,
 * so that a second run, or one that died half way, does no harm.
 */
export async function processUpload<E extends Env>(
  id: string,
  context: ProcessContext<E>,
): Promise<UploadState | undefined> {
  const { db } = context.options
  const row = await findUpload(db, id)
  if (row === undefined) return undefined
  const state = row.state as UploadState
  if (state === 'rejected' || state === 'deleted') {
    if (row.purgedAt === null) await purge(row, context)
    return state
  }
  if (state !== 'quarantined' && state !== 'scanned') return state
  if (state === 'quarantined') {
    context.signal.throwIfAborted()
    const verdict = await inspect(row, context)
    if (!verdict.ok) {
      await db.execute(endStatement(id, 'rejected', { reason: verdict.reason }))
      await purge(row, context)
      return 'rejected'
    }
    await markScanned(db, id, verdict.found)
  }
  await markPublished(db, id)
  return (await findUpload(db, id))?.state as UploadState | undefined
}

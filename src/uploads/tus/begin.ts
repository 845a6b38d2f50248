import type { Context, Env } from 'hono'
import { uuidv7 } from '../../core/ids.ts'
import { sha256Field } from '../digest-fields.ts'
import { badUpload, emptyFile, quotaExceeded, tooLarge } from '../errors.ts'
import { cleanFileName } from '../file-name.ts'
import { kindOf, type ResolvedOptions } from '../options.ts'
import { reserveStatement } from '../records.ts'
import { PART_BYTES } from '../sink.ts'
import { essence } from '../sniff.ts'
import { bytesField, metadataField } from './fields.ts'

/** R2 takes this many parts. */
const MAX_PARTS = 10_000
const MIB = 1024 * 1024

/** Bytes of a part, so that the largest upload fits into the parts there may be. */
export function partBytesFor(length: number): number {
  return Math.max(PART_BYTES, Math.ceil(length / MAX_PARTS / MIB) * MIB)
}

/** An upload that was begun. */
export interface Begun {
  readonly id: string
  readonly length: number | undefined
  readonly expiresAt: Date
}

function announcedDigest(headers: Headers, metadata: ReadonlyMap<string, string>): string | undefined {
  const field = sha256Field(headers.get('repr-digest'))
  if (field === null) throw badUpload('The digest field has a SHA-256 that cannot be read (RFC 9530).')
  const named = said(metadata, 'sha256')?.toLowerCase()
  if (named !== undefined && !/^[0-9a-f]{64}$/.test(named)) {
    throw badUpload('The metadata’s sha256 is not 64 hexadecimal digits.')
  }
  return field ?? named
}

/**
 * What the metadata say under the first of these keys that says anything. Clients write `undefined` and `null` in
 * letters where they have no value (Uppy does for each field that it was told to send and has not), and as a type or a
 * name those would be held against the bytes.
 */
function said(metadata: ReadonlyMap<string, string>, ...keys: readonly string[]): string | undefined {
  return keys.map((key) => metadata.get(key)).find((value) => value && !/^(undefined|null)$/.test(value))
}

/** Reserves room for a resumable upload and makes its rows, in one round trip. */
export async function begin<E extends Env>(
  c: Context<E>,
  ownerId: string,
  options: ResolvedOptions<E>,
): Promise<Begun> {
  const { headers } = c.req.raw
  const length = bytesField(headers, 'Upload-Length')
  const deferred = headers.get('upload-defer-length')
  if (deferred !== null && deferred !== '1') throw badUpload('Upload-Defer-Length must be 1.')
  if ((length === undefined) === (deferred === null)) {
    throw badUpload('Send Upload-Length, or Upload-Defer-Length, and not both.')
  }
  const raw = headers.get('upload-metadata')
  const metadata = metadataField(raw)
  const { name, kind } = kindOf(
    said(metadata, 'kind') ?? c.req.query('kind'),
    'header:Upload-Metadata',
    options,
  )
  if (length !== undefined && length > kind.maxBytes) throw tooLarge(kind.maxBytes)
  if (length === 0) throw emptyFile()
  const sha256 = announcedDigest(headers, metadata)
  const id = uuidv7()
  const bytes = length ?? kind.maxBytes
  const expiresAt = new Date(Date.now() + options.resumableMs)
  const { rows } = await options.db.execute(
    reserveStatement(
      {
        id,
        ownerId,
        kind: name,
        key: `${options.prefix}${name}/${id}`,
        originalName: cleanFileName(said(metadata, 'filename', 'name')),
        declaredType: essence(said(metadata, 'filetype', 'type')),
        bytes,
        sha256,
        transfer: {
          mode: 'tus',
          length,
          metadata: raw ?? undefined,
          partBytes: partBytesFor(bytes),
          expiresAt,
        },
      },
      await options.quota(c, ownerId),
    ),
  )
  if (rows.length === 0) throw quotaExceeded()
  return { id, length, expiresAt }
}

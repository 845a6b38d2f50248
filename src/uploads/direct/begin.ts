import type { Context, Env } from 'hono'
import { BreakwaterError, type FieldFault } from '../../core/errors.ts'
import { uuidv7 } from '../../core/ids.ts'
import { badUpload, emptyFile, quotaExceeded, tooLarge, wrongType } from '../errors.ts'
import { cleanFileName } from '../file-name.ts'
import { kindOf, type ResolvedOptions } from '../options.ts'
import { reserveStatement } from '../records.ts'
import { essence } from '../sniff.ts'
import { partBytesFor } from '../tus/begin.ts'
import { type DirectAccess, presign, type SignedRequest } from './presign.ts'

/** How long a signed request may be begun. */
export const SIGNED_SECONDS = 3600

/** What a client asks for. */
export interface DirectRequest {
  readonly kind: string
  readonly name: string
  readonly type: string
  /** Bytes. */
  readonly size: number
  /** 64 hexadecimal digits; checked against what was stored. */
  readonly sha256?: string
  /** In parts, each its own request. Needed above 5 GB; good for large files on bad lines. */
  readonly multipart?: boolean
}

/** How to send it. */
export type DirectTicket = { readonly id: string; readonly expiresAt: string } & (
  | { readonly upload: SignedRequest }
  /** Ask for the parts' requests by number, from 1. */
  | { readonly partBytes: number; readonly parts: number }
)

function parse(input: unknown): DirectRequest {
  const faults: FieldFault[] = []
  const value = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>
  const text = (name: string): void => {
    if (typeof value[name] !== 'string') faults.push({ pointer: `/${name}`, detail: 'must be text' })
  }
  for (const name of ['kind', 'name', 'type']) text(name)
  if (!Number.isSafeInteger(value['size']) || (value['size'] as number) < 0)
    faults.push({ pointer: '/size', detail: 'must be a whole number of bytes' })
  if (value['sha256'] !== undefined && !/^[0-9a-f]{64}$/.test(String(value['sha256'])))
    faults.push({ pointer: '/sha256', detail: 'must be 64 hexadecimal digits' })
  if (value['multipart'] !== undefined && typeof value['multipart'] !== 'boolean')
    faults.push({ pointer: '/multipart', detail: 'must be true or false' })
  if (faults.length > 0) throw new BreakwaterError('validation-failed', { status: 422, fields: faults })
  return value as unknown as DirectRequest
}

/** S3 takes no more in one PUT. */
const MAX_PUT = 5_000_000_000

/** Reserves room and signs what the client may send; its rows are made in one round trip. */
export async function beginDirect<E extends Env>(
  c: Context<E>,
  ownerId: string,
  input: unknown,
  access: DirectAccess,
  options: ResolvedOptions<E>,
): Promise<DirectTicket> {
  const asked = parse(input)
  const { name, kind } = kindOf(asked.kind, '/kind', options)
  const { size } = asked
  if (size === 0) throw emptyFile()
  if (size > kind.maxBytes) throw tooLarge(kind.maxBytes)
  const type = essence(asked.type)
  if (type === undefined || !kind.types.includes(type)) {
    throw wrongType(`Files of type ${type ?? 'unknown'} are not accepted here.`, kind.types)
  }
  const multipart = asked.multipart === true
  if (!multipart && size > MAX_PUT) throw badUpload('A file of more than 5 GB is sent in parts.')

  const id = uuidv7()
  const key = `${options.prefix}${name}/${id}`
  const partBytes = partBytesFor(size)
  const expiresAt = new Date(Date.now() + options.resumableMs)
  // Begun before the row: what no row knows of vanishes by itself.
  const multipartId = multipart
    ? (await options.bucket(c).createMultipartUpload(key, { httpMetadata: { contentType: type } })).uploadId
    : undefined
  const { rows } = await options.db.execute(
    reserveStatement(
      {
        id,
        ownerId,
        kind: name,
        key,
        originalName: cleanFileName(asked.name),
        declaredType: type,
        bytes: size,
        sha256: asked.sha256,
        transfer: {
          mode: multipart ? 'multipart' : 'put',
          length: size,
          partBytes,
          expiresAt,
          ...(multipartId !== undefined && { multipartId }),
        },
      },
      await options.quota(c, ownerId),
    ),
  )
  if (rows.length === 0) {
    if (multipartId !== undefined) await options.bucket(c).resumeMultipartUpload(key, multipartId).abort()
    throw quotaExceeded()
  }
  const ticket = { id, expiresAt: expiresAt.toISOString() }
  if (multipart) return { ...ticket, partBytes, parts: Math.ceil(size / partBytes) }
  return { ...ticket, upload: await presign(access, key, { length: size, type, seconds: SIGNED_SECONDS }) }
}

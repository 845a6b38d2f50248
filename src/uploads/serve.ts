import { BreakwaterError } from '../core/errors.ts'
import { span } from '../core/work.ts'
import { answer } from './conditional.ts'
import { toDigestField } from './digest-fields.ts'
import { noSuchUpload, storageUnavailable } from './errors.ts'
import { contentDisposition, fittingName } from './file-name.ts'
import type { UploadRow } from './records.ts'

/** How an upload is shown. */
export interface ServeOptions {
  readonly bucket: R2Bucket
  readonly inline: ReadonlySet<string>
  readonly visibility: 'owner' | 'public'
  /** Instead of the default for the visibility. */
  readonly cacheControl?: string | undefined
}

/**
 * Headers that make it safe to hand out what a stranger sent: the type is what the bytes say and browsers may not
 * guess another; it is downloaded unless it is passive media; and should it be shown, it runs in a sandbox without
 * scripts and without an origin.
 */
function baseHeaders(row: UploadRow, { inline, visibility, cacheControl }: ServeOptions): Headers {
  const type = row.type ?? 'application/octet-stream'
  const text = type.startsWith('text/') || type === 'application/json'
  return new Headers({
    'Content-Type': text ? `${type}; charset=utf-8` : type,
    'Content-Disposition': contentDisposition(
      inline.has(type) ? 'inline' : 'attachment',
      fittingName(row.originalName, type),
    ),
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    'Cross-Origin-Resource-Policy': visibility === 'public' ? 'cross-origin' : 'same-origin',
    // The owner's files may be deleted or taken away: ask again each time, which a matching tag makes cheap.
    'Cache-Control': cacheControl ?? (visibility === 'public' ? 'public, max-age=3600' : 'private, no-cache'),
    'Accept-Ranges': 'bytes',
    ETag: `"${row.sha256}"`,
    'Last-Modified': (row.publishedAt ?? row.createdAt).toUTCString(),
    'Repr-Digest': toDigestField(row.sha256 ?? ''),
  })
}

/** Answers GET and HEAD for a published upload. Whatever can be answered from the row costs no call to R2. */
export async function serve(request: Request, row: UploadRow, options: ServeOptions): Promise<Response> {
  const size = row.size ?? 0
  const headers = baseHeaders(row, options)
  const verdict = answer(request.headers, {
    etag: `"${row.sha256}"`,
    lastModified: row.publishedAt ?? row.createdAt,
    size,
  })
  switch (verdict.status) {
    case 304:
      for (const name of ['Content-Type', 'Content-Disposition', 'Repr-Digest']) headers.delete(name)
      return new Response(null, { status: 304, headers })
    case 412:
      throw new BreakwaterError('precondition-failed', { status: 412 })
    case 416:
      throw new BreakwaterError('range-not-satisfiable', {
        status: 416,
        headers: { 'Content-Range': `bytes */${size}` },
      })
    case 200:
    case 206: {
      const range =
        verdict.status === 206
          ? { offset: verdict.start, length: verdict.end - verdict.start + 1 }
          : { offset: 0, length: size }
      headers.set('Content-Length', String(range.length))
      if (verdict.status === 206)
        headers.set('Content-Range', `bytes ${verdict.start}-${verdict.end}/${size}`)
      if (request.method === 'HEAD') return new Response(null, { status: verdict.status, headers })
      const object = await span('object-store', 'get', () => options.bucket.get(row.key, { range })).catch(
        (error: unknown) => {
          throw storageUnavailable(error)
        },
      )
      // Deleted between the look at the row and now; or replaced behind our back: those bytes were never judged.
      if (object === null) throw noSuchUpload()
      if (row.version !== null && object.version !== row.version) {
        await object.body.cancel()
        throw noSuchUpload()
      }
      return new Response(object.body, { status: verdict.status, headers })
    }
  }
}

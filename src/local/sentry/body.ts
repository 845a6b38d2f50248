import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib'

/** Why a request body cannot be used, with the status that Sentry answers. */
export class BodyError extends Error {
  override readonly name = 'BodyError'
  readonly status: 400 | 413

  constructor(status: 400 | 413, message: string) {
    super(message)
    this.status = status
  }
}

/** Sentry takes envelopes of up to 200 MB with attachments; nobody's local errors need that. */
const MAX_BYTES = 32 * 1024 * 1024

const unzip = { gzip: promisify(gunzip), br: promisify(brotliDecompress), zstd: promisify(zstdDecompress) }

/** The bytes of a request body, with its content encodings undone. */
export async function readBody(request: Request): Promise<Buffer> {
  let bytes = Buffer.from(await request.arrayBuffer())
  const encodings = (request.headers.get('content-encoding') ?? '').toLowerCase().split(',')
  for (const encoding of encodings.map((name) => name.trim()).reverse()) {
    if (encoding === '' || encoding === 'identity') continue
    bytes = await decode(encoding, bytes)
  }
  if (bytes.length > MAX_BYTES) throw new BodyError(413, 'envelope exceeded size limits')
  return bytes
}

async function decode(encoding: string, bytes: Buffer): Promise<Buffer> {
  const limit = { maxOutputLength: MAX_BYTES }
  try {
    switch (encoding) {
      case 'gzip':
      case 'x-gzip':
        return await unzip.gzip(bytes, limit)
      case 'deflate':
        return await inflateAny(bytes)
      case 'br':
        return await unzip.br(bytes, limit)
      case 'zstd':
        return await unzip.zstd(bytes, limit)
      default:
        throw new BodyError(400, `unknown content encoding ${JSON.stringify(encoding)}`)
    }
  } catch (error) {
    if (error instanceof BodyError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new BodyError(413, 'envelope exceeded size limits')
    }
    throw new BodyError(400, `the body is not ${encoding}`)
  }
}

/** "deflate" is zlib's format by the standard and raw deflate by custom. */
export async function inflateAny(bytes: Buffer): Promise<Buffer> {
  const limit = { maxOutputLength: MAX_BYTES }
  try {
    return await promisify(inflate)(bytes, limit)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw error
    return promisify(inflateRaw)(bytes, limit)
  }
}

import { BreakwaterError } from '../core/errors.ts'

/** 400: nothing was sent. */
export function emptyFile(): BreakwaterError {
  return new BreakwaterError('bad-request', { status: 400, detail: 'The file is empty.' })
}

/** 400: the body is not what its own header fields say. */
export function badUpload(detail: string, cause?: unknown): BreakwaterError {
  return new BreakwaterError('bad-request', { status: 400, detail, cause })
}

/** 400: the SHA-256 of the bytes is not the one in `Repr-Digest` or `Content-Digest`. */
export function digestMismatch(): BreakwaterError {
  return badUpload('The file changed on its way: its SHA-256 is not the one announced.')
}

/** 413: more bytes than the kind of upload allows. */
export function tooLarge(maxBytes: number): BreakwaterError {
  return new BreakwaterError('payload-too-large', {
    status: 413,
    detail: `The file is larger than ${maxBytes} bytes.`,
    extensions: { maxBytes },
  })
}

/** 415: the bytes are of no type the kind allows, or not of the type the client declared. */
export function wrongType(detail: string, allowed: readonly string[]): BreakwaterError {
  return new BreakwaterError('unsupported-media-type', {
    status: 415,
    detail,
    extensions: { allowed },
    headers: { Accept: allowed.join(', ') },
  })
}

/** 408: the client stopped sending. The connection is of no further use (RFC 9110, section 15.5.9). */
export function stalled(): BreakwaterError {
  return new BreakwaterError('deadline-exceeded', {
    status: 408,
    detail: 'The file stopped arriving.',
    headers: { Connection: 'close' },
  })
}

/** 403: the owner has no room left. */
export function quotaExceeded(): BreakwaterError {
  return new BreakwaterError('quota-exceeded', {
    status: 403,
    detail: 'There is no room left for this file. Delete others first.',
  })
}

/** 410: it was there, and is no more. */
export function goneUpload(): BreakwaterError {
  return new BreakwaterError('not-found', { status: 410, detail: 'This upload was given up or removed.' })
}

/** 423: another request is writing. */
export function lockedUpload(): BreakwaterError {
  return new BreakwaterError('conflict', {
    status: 423,
    detail: 'Another request is writing to this upload.',
    headers: { 'Retry-After': '2' },
  })
}

/** 409: it goes on elsewhere than the client thinks. */
export function wrongOffset(): BreakwaterError {
  return new BreakwaterError('conflict', { status: 409, detail: 'The upload does not go on at this offset.' })
}

/** 460 (tus): the bytes of this request are not those of its checksum. */
export function checksumMismatch(): BreakwaterError {
  return new BreakwaterError('bad-request', {
    // tus's own status, which Hono's types do not know.
    status: 460 as 400,
    detail: 'The bytes changed on their way: their checksum is not the one announced.',
  })
}

/** 404: there is none, or it is not the caller's to know of. */
export function noSuchUpload(): BreakwaterError {
  return new BreakwaterError('not-found', { status: 404, detail: 'There is no such upload.' })
}

/** 503: object storage did not take or give the bytes. */
export function storageUnavailable(cause: unknown): BreakwaterError {
  return new BreakwaterError('dependency-unavailable', {
    status: 503,
    detail: 'File storage does not answer. Try again in a moment.',
    headers: { 'Retry-After': '5' },
    cause,
  })
}

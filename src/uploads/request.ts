import { type ByteSource, fromStream, limited } from './byte-source.ts'
import { sha256Field } from './digest-fields.ts'
import { badUpload, emptyFile, tooLarge, wrongType } from './errors.ts'
import { cleanFileName } from './file-name.ts'
import { firstFile } from './form.ts'
import { boundaryOf } from './form-parser.ts'
import type { ResolvedKind } from './options.ts'
import type { Incoming } from './receive.ts'
import { essence } from './sniff.ts'

/** A file that a request brings, not yet read. */
export interface RequestedUpload {
  readonly incoming: Incoming
  readonly name: string
  /** The most bytes it can come to. */
  readonly atMost: number
}

/** A form's boundaries, headers and small fields. */
const FORM_OVERHEAD = 128 * 1024

function announced(headers: Headers): string | undefined {
  const digest = sha256Field(headers.get('repr-digest')) ?? sha256Field(headers.get('content-digest'))
  if (digest === null) throw badUpload('The digest field has a SHA-256 that cannot be read (RFC 9530).')
  return digest
}

function lengthOf(headers: Headers): number | undefined {
  const value = headers.get('content-length')
  if (value === null) return undefined
  if (!/^\d{1,15}$/.test(value)) throw badUpload('Content-Length is not a number.')
  return Number(value)
}

/**
 * Finds the file in a request: its body as it is, or the first file of a `multipart/form-data` form.
 * What can be refused by its headers is refused here, before anything is written anywhere.
 */
export async function readRequest(
  request: Request,
  kind: ResolvedKind,
  stallMs: number,
): Promise<RequestedUpload> {
  const { headers, body } = request
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    throw wrongType('Files are taken as they are, without a Content-Encoding.', kind.types)
  }
  if (body === null) throw emptyFile()
  const length = lengthOf(headers)
  if (length === 0) throw emptyFile()
  const contentType = headers.get('content-type') ?? ''
  const source = fromStream(body as ReadableStream<Uint8Array>)
  if (/^multipart\//i.test(contentType)) return fromForm(source, contentType, length, kind, stallMs)

  if (length !== undefined && length > kind.maxBytes) throw tooLarge(kind.maxBytes)
  const declaredType = essence(contentType)
  const sha256 = announced(headers)
  return {
    incoming: {
      source,
      ...(length !== undefined && { length }),
      ...(declaredType !== undefined && { declaredType }),
      ...(sha256 !== undefined && { sha256 }),
    },
    name: cleanFileName(new URL(request.url).searchParams.get('name') ?? undefined),
    atMost: length ?? kind.maxBytes,
  }
}

async function fromForm(
  body: ByteSource,
  contentType: string,
  length: number | undefined,
  kind: ResolvedKind,
  stallMs: number,
): Promise<RequestedUpload> {
  const boundary = boundaryOf(contentType)
  if (boundary === undefined) throw badUpload('The form has no usable boundary.')
  if (length !== undefined && length > kind.maxBytes + FORM_OVERHEAD) throw tooLarge(kind.maxBytes)
  const file = await firstFile(limited(body, { maxBytes: kind.maxBytes + FORM_OVERHEAD, stallMs }), boundary)
  const declaredType = essence(file.headers.get('content-type'))
  // The request's own digest is of the form; the file's is in its part.
  const sha256 = announced(file.headers)
  return {
    incoming: {
      source: file.source,
      ...(declaredType !== undefined && { declaredType }),
      ...(sha256 !== undefined && { sha256 }),
    },
    name: cleanFileName(file.fileName),
    atMost: Math.min(kind.maxBytes, length ?? kind.maxBytes),
  }
}

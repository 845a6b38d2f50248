import { NeonFailure } from './errors.ts'

/** One statement of a request. */
export interface Statement {
  readonly query: string
  /** Postgres's text form, as it goes into the Bind message. */
  readonly params: readonly (string | null)[]
  /** Overrides the header. */
  readonly arrayMode: boolean | undefined
}

/** What a request asks for. */
export interface Payload {
  readonly batch: boolean
  readonly statements: readonly Statement[]
}

/** Largest request body, in bytes. */
export const MAX_REQUEST: number = 64 * 1024 * 1024

function unreadable(why: string): NeonFailure {
  return new NeonFailure(400, `could not parse the HTTP request body: ${why}`)
}

/** The body of a request, refused as soon as it is known to be too large. */
async function readBody(request: Request, max: number): Promise<string> {
  const tooLarge = (): NeonFailure => new NeonFailure(413, `request is too large (max is ${max} bytes)`)
  if (Number(request.headers.get('content-length') ?? 0) > max) throw tooLarge()
  if (request.body === null) return ''
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of request.body as unknown as AsyncIterable<Uint8Array>) {
    length += part.byteLength
    if (length > max) throw tooLarge()
    parts.push(part)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(Buffer.concat(parts))
  } catch {
    throw unreadable('invalid unicode code point')
  }
}

function arrayText(value: unknown): string {
  if (value === null) return 'NULL'
  if (Array.isArray(value)) return `{${value.map(arrayText).join(',')}}`
  if (typeof value === 'object') return JSON.stringify(JSON.stringify(value))
  return JSON.stringify(value)
}

/** A JSON value as Postgres text, the way Neon's proxy does it. */
export function paramText(value: unknown): string | null {
  if (value === null) return null
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return arrayText(value)
  return JSON.stringify(value)
}

function readStatement(value: unknown): Statement {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unreadable('data did not match any variant of untagged enum Payload')
  }
  const { query, params = [], arrayMode = null } = value as Record<string, unknown>
  if (
    typeof query !== 'string' ||
    !Array.isArray(params) ||
    (arrayMode !== null && typeof arrayMode !== 'boolean')
  ) {
    throw unreadable('data did not match any variant of untagged enum Payload')
  }
  // A message to the server ends its strings with a zero: one inside would begin another message.
  if (query.includes('\0')) throw new NeonFailure(400, 'string contains embedded null')
  return { query, params: params.map(paramText), arrayMode: arrayMode ?? undefined }
}

/**
 * Reads the body of `POST /sql`.
 * @throws NeonFailure 400 when it is malformed, 413 when it is too large
 */
export async function readPayload(request: Request, max: number): Promise<Payload> {
  const text = await readBody(request, max)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    throw unreadable((error as Error).message)
  }
  const queries = (body as { queries?: unknown } | null)?.queries
  if ((body as { query?: unknown } | null)?.query === undefined && Array.isArray(queries)) {
    return { batch: true, statements: queries.map(readStatement) }
  }
  return { batch: false, statements: [readStatement(body)] }
}

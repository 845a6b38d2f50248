/** One item of an envelope. */
export interface EnvelopeItem {
  readonly header: Readonly<Record<string, unknown>> & { readonly type: string }
  readonly payload: Buffer
}

/** What Sentry's SDKs send (https://develop.sentry.dev/sdk/data-model/envelopes/). */
export interface Envelope {
  readonly header: Readonly<Record<string, unknown>>
  readonly items: readonly EnvelopeItem[]
}

/** Why bytes are no envelope, one cause after another, as Sentry tells it. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
  readonly causes: readonly string[]

  constructor(...causes: string[]) {
    super('invalid envelope')
    this.causes = causes
  }
}

const NEWLINE = 0x0a

/**
 * Reads an envelope.
 * @throws {EnvelopeError}
 */
export function parseEnvelope(bytes: Buffer): Envelope {
  let at = 0
  const line = (): Buffer => {
    const end = bytes.indexOf(NEWLINE, at)
    const found = bytes.subarray(at, end === -1 ? bytes.length : end)
    at = end === -1 ? bytes.length : end + 1
    return found
  }
  if (bytes.length === 0) throw new EnvelopeError('missing envelope header')
  const header = jsonObject(line(), 'invalid envelope header')
  const items: EnvelopeItem[] = []
  while (at < bytes.length) {
    // Newlines may stand between items and at the end.
    if (bytes[at] === NEWLINE) {
      at++
      continue
    }
    const itemHeader = jsonObject(line(), 'invalid item header')
    const { type, length } = itemHeader
    if (typeof type !== 'string') throw new EnvelopeError('invalid item header', 'missing field `type`')
    if (length === undefined || length === null) {
      items.push({ header: { ...itemHeader, type }, payload: line() })
      continue
    }
    if (typeof length !== 'number' || !Number.isInteger(length) || length < 0) {
      throw new EnvelopeError('invalid item header', 'invalid value for `length`')
    }
    const end = at + length
    if (end > bytes.length)
      throw new EnvelopeError('unexpected end of file', 'item payload is shorter than its length')
    if (end < bytes.length && bytes[end] !== NEWLINE) {
      throw new EnvelopeError('missing newline after header or payload')
    }
    items.push({ header: { ...itemHeader, type }, payload: bytes.subarray(at, end) })
    at = end + 1
  }
  return { header, items }
}

function jsonObject(bytes: Buffer, what: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new EnvelopeError(what, (error as Error).message)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EnvelopeError(what, 'expected a JSON object')
  }
  return value as Record<string, unknown>
}

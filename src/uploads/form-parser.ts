/**
 * `multipart/form-data` (RFC 7578) as a push parser: bytes in, events out, nothing kept but a boundary's length.
 * The platform's `formData()` holds every file in memory, and so do the parsers on npm that run in workerd.
 */

/** Something the parser met. */
export type FormEvent =
  | { readonly kind: 'part'; readonly name: string; readonly fileName?: string; readonly headers: Headers }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'part-end' }
  | { readonly kind: 'end' }

/** The body is not well-formed `multipart/form-data`, or goes past a limit. */
export class FormError extends Error {
  override readonly name: string = 'FormError'
}

const MAX_HEADER_BYTES = 8192
const MAX_PARTS = 32
const CR = 13
const LF = 10
const DASH = 45

/** The boundary of a `multipart/form-data` content type; undefined when it is something else or has none. */
export function boundaryOf(contentType: string): string | undefined {
  const match = /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType)
  const boundary = match?.[1] ?? match?.[2]
  return boundary !== undefined && boundary.length <= 70 && /^[\x20-\x7e]+$/.test(boundary)
    ? boundary
    : undefined
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b
  const out = new Uint8Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out
}

/** Where `needle` begins in `hay` at or after `from`; -1 when it does not. */
function find(hay: Uint8Array, needle: Uint8Array, from: number): number {
  const first = needle[0] as number
  const last = hay.length - needle.length
  for (let at = hay.indexOf(first, from); at !== -1 && at <= last; at = hay.indexOf(first, at + 1)) {
    let i = 1
    while (i < needle.length && hay[at + i] === needle[i]) i++
    if (i === needle.length) return at
  }
  return -1
}

function unquote(value: string): string {
  return value
    .replace(/\\(["\\])/g, '$1')
    .replaceAll('%22', '"')
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
}

function parsePart(text: string): Extract<FormEvent, { kind: 'part' }> {
  const headers = new Headers()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon < 1) throw new FormError('A part has a malformed header.')
    // Parsed apart below: file names beyond Latin-1 are no valid header value, but what every browser sends.
    if (line.slice(0, colon).toLowerCase() === 'content-disposition') continue
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
    } catch {
      throw new FormError('A part has a malformed header.')
    }
  }
  const disposition = /^content-disposition:[ \t]*form-data[ \t]*;(.*)$/im.exec(text)?.[1]
  if (disposition === undefined) throw new FormError('A part is no form-data.')
  const parameters = new Map<string, string>()
  for (const [, key, quoted, token] of disposition.matchAll(
    /([A-Za-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g,
  )) {
    if (key !== undefined) parameters.set(key.toLowerCase(), unquote(quoted ?? token ?? ''))
  }
  const name = parameters.get('name')
  if (name === undefined) throw new FormError('A part has no name.')
  const fileName = parameters.get('filename')
  return { kind: 'part', name, headers, ...(fileName !== undefined && { fileName }) }
}

/** Takes a body in pieces of any size, cut anywhere. */
export class FormParser {
  readonly #delimiter: Uint8Array
  #state: 'preamble' | 'delimiter' | 'headers' | 'data' | 'end' = 'preamble'
  // The first delimiter needs no line break before it: pretend there was one.
  #rest: Uint8Array = new Uint8Array([CR, LF])
  #parts = 0

  constructor(boundary: string) {
    this.#delimiter = new TextEncoder().encode(`\r\n--${boundary}`)
  }

  /** Whether the closing boundary was seen. */
  get finished(): boolean {
    return this.#state === 'end'
  }

  /**
   * The events in the next piece of the body. `data` events are views into it.
   * @throws FormError
   */
  push(chunk: Uint8Array): FormEvent[] {
    const events: FormEvent[] = []
    let buffer = join(this.#rest, chunk)
    for (;;) {
      const next = this.#step(buffer, events)
      if (next === undefined) break
      buffer = next
    }
    return events
  }

  /** Takes one step; returns what is left of the buffer, or undefined when more bytes are needed. */
  #step(buffer: Uint8Array, events: FormEvent[]): Uint8Array | undefined {
    switch (this.#state) {
      case 'preamble':
      case 'data':
        return this.#scan(buffer, events)
      case 'delimiter':
        return this.#afterDelimiter(buffer, events)
      case 'headers':
        return this.#headers(buffer, events)
      case 'end':
        this.#rest = new Uint8Array(0)
        return undefined
    }
  }

  #scan(buffer: Uint8Array, events: FormEvent[]): Uint8Array | undefined {
    const at = find(buffer, this.#delimiter, 0)
    const inside = this.#state === 'data'
    if (at === -1) {
      // Whatever could be the beginning of a delimiter waits for the next piece.
      const safe = Math.max(0, buffer.length - this.#delimiter.length + 1)
      if (inside && safe > 0) events.push({ kind: 'data', bytes: buffer.subarray(0, safe) })
      this.#rest = buffer.slice(safe)
      return undefined
    }
    if (inside) {
      if (at > 0) events.push({ kind: 'data', bytes: buffer.subarray(0, at) })
      events.push({ kind: 'part-end' })
    }
    this.#state = 'delimiter'
    return buffer.subarray(at + this.#delimiter.length)
  }

  #afterDelimiter(buffer: Uint8Array, events: FormEvent[]): Uint8Array | undefined {
    if (buffer.length >= 2 && buffer[0] === DASH && buffer[1] === DASH) {
      this.#state = 'end'
      events.push({ kind: 'end' })
      return buffer.subarray(2)
    }
    // Transport padding: blanks may stand between a boundary and its line break (RFC 2046, section 5.1.1).
    let at = 0
    while (at < buffer.length && (buffer[at] === 32 || buffer[at] === 9)) at++
    if (at > 100) throw new FormError('A boundary is padded without end.')
    if (buffer.length < at + 2) {
      this.#rest = buffer.slice()
      return undefined
    }
    if (buffer[at] !== CR || buffer[at + 1] !== LF) throw new FormError('A boundary is malformed.')
    this.#parts += 1
    if (this.#parts > MAX_PARTS) throw new FormError('The form has too many parts.')
    this.#state = 'headers'
    return buffer.subarray(at + 2)
  }

  #headers(buffer: Uint8Array, events: FormEvent[]): Uint8Array | undefined {
    const end = find(buffer, new Uint8Array([CR, LF, CR, LF]), 0)
    if (end > MAX_HEADER_BYTES || (end === -1 && buffer.length > MAX_HEADER_BYTES)) {
      throw new FormError('The headers of a part are too long.')
    }
    if (end === -1) {
      this.#rest = buffer.slice()
      return undefined
    }
    events.push(parsePart(new TextDecoder().decode(buffer.subarray(0, end))))
    this.#state = 'data'
    return buffer.subarray(end + 4)
  }
}

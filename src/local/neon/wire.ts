/** One message of Postgres's protocol, version 3. */
export interface Message {
  /** The type, one letter; empty for the untyped messages that open a connection. */
  readonly type: string
  readonly body: Buffer
  /** All of it, as it came. */
  readonly raw: Buffer
}

// What opens a connection is at most this long in Postgres itself, a password message included.
const MAX_OPENING = 65_536

/** Cuts a stream of bytes into messages, whatever pieces it comes in. */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0)

  push(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
  }

  /**
   * The next whole message, or undefined until more has come.
   * @throws RangeError when the length is out of all reason
   */
  next(typed: boolean): Message | undefined {
    const head = typed ? 1 : 0
    if (this.#pending.length < head + 4) return undefined
    const length = this.#pending.readInt32BE(head)
    if (length < 4 || length > MAX_OPENING) throw new RangeError('invalid length of a protocol message')
    if (this.#pending.length < head + length) return undefined
    const raw = this.#pending.subarray(0, head + length)
    this.#pending = this.#pending.subarray(head + length)
    return { type: typed ? String.fromCharCode(raw[0] ?? 0) : '', body: raw.subarray(head + 4), raw }
  }

  /** What has come and belongs to no message yet. The reader is empty afterwards. */
  rest(): Buffer {
    const rest = this.#pending
    this.#pending = Buffer.alloc(0)
    return rest
  }
}

/** A typed message. */
export function message(type: string, ...parts: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** A 32-bit integer, network byte order. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** An ErrorResponse. */
export function errorResponse(code: string, text: string): Buffer {
  return message('E', `SFATAL\0VFATAL\0C${code}\0M${text}\0\0`)
}

/** The parameters of a StartupMessage. */
export function startupParameters(body: Buffer): Map<string, string> {
  const words = body.subarray(4).toString('utf8').split('\0')
  const found = new Map<string, string>()
  for (let at = 0; words[at]; at += 2) found.set(words[at] ?? '', words[at + 1] ?? '')
  return found
}

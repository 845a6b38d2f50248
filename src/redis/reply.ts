/** One command's answer as it travels. */
export interface Envelope {
  readonly result?: unknown
  readonly error?: string
}

const utf8 = new TextDecoder()

function decodeText(encoded: string): string {
  if (encoded === 'OK') return encoded
  try {
    return utf8.decode(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)))
  } catch {
    // Not base64: an answer that the server left as it was.
    return encoded
  }
}

function decodeValue(value: unknown): unknown {
  if (typeof value === 'string') return decodeText(value)
  return Array.isArray(value) ? value.map(decodeValue) : value
}

/** Undoes `Upstash-Encoding: base64`: every string of a result is encoded, but a status OK; errors never are. */
export function decodeReply({ result, error }: Envelope): Envelope {
  return {
    ...(result !== undefined && { result: decodeValue(result) }),
    ...(error !== undefined && { error }),
  }
}

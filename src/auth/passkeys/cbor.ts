/** What CBOR (RFC 8949) says, as far as authenticators use it. */
export type Cbor =
  | number
  | string
  | boolean
  | null
  | Uint8Array<ArrayBuffer>
  | readonly Cbor[]
  | ReadonlyMap<number | string, Cbor>

// CTAP2 allows four levels; an attestation statement may have a chain of certificates below that.
const MAX_DEPTH = 8
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const malformed = (what: string) => new RangeError(`CBOR: ${what}`)

/**
 * Reads one item and says where it ends. Takes what CTAP2's canonical form has: definite lengths, integers and texts
 * as keys, no tags, no floats but none at all.
 * @throws RangeError for anything else, and TypeError for a text that is not UTF-8
 */
export function readCbor(
  bytes: Uint8Array<ArrayBuffer>,
  start: number = 0,
  depth: number = 0,
): { readonly value: Cbor; readonly end: number } {
  if (depth > MAX_DEPTH) throw malformed('too deep')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const head = view.getUint8(start)
  const [kind, info] = [head >> 5, head & 31]
  let at = start + 1
  if (kind === 7) {
    if (info === 20 || info === 21) return { value: info === 21, end: at }
    if (info === 22) return { value: null, end: at }
    throw malformed('a kind of value that has no place here')
  }

  let count = info
  if (info >= 24) {
    if (info > 27) throw malformed('no definite length')
    const width = 1 << (info - 24)
    if (width === 8) {
      count = Number(view.getBigUint64(at))
      if (!Number.isSafeInteger(count)) throw malformed('a number too large')
    } else {
      count = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at) : view.getUint32(at)
    }
    at += width
  }

  if (kind === 0) return { value: count, end: at }
  if (kind === 1) return { value: -1 - count, end: at }
  // Each item takes a byte at least, so what claims to have more than is left lies.
  if (count > bytes.length - at) throw malformed('it ends too early')
  if (kind === 2 || kind === 3) {
    const slice = bytes.slice(at, at + count)
    return { value: kind === 2 ? slice : utf8.decode(slice), end: at + count }
  }
  if (kind === 4) {
    const list: Cbor[] = []
    for (let i = 0; i < count; i++) {
      const item = readCbor(bytes, at, depth + 1)
      list.push(item.value)
      at = item.end
    }
    return { value: list, end: at }
  }
  if (kind === 5) {
    const map = new Map<number | string, Cbor>()
    for (let i = 0; i < count; i++) {
      const key = readCbor(bytes, at, depth + 1)
      if (typeof key.value !== 'number' && typeof key.value !== 'string')
        throw malformed('a key of another kind')
      if (map.has(key.value)) throw malformed('a key that is there twice')
      const item = readCbor(bytes, key.end, depth + 1)
      map.set(key.value, item.value)
      at = item.end
    }
    return { value: map, end: at }
  }
  throw malformed('a tag')
}

/** Reads a map, and nothing after it. */
export function readCborMap(bytes: Uint8Array<ArrayBuffer>): ReadonlyMap<number | string, Cbor> {
  const { value, end } = readCbor(bytes)
  if (!(value instanceof Map) || end !== bytes.length) throw malformed('not one map')
  return value
}

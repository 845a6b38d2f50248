import fc from 'fast-check'

/**
 * What RFC 9110, section 14, asks of a range, written the slow way: position by position, over the bytes themselves.
 * Undefined: the field is to be ignored.
 */
export function modelRange(field: string, bytes: Uint8Array): Uint8Array | 'unsatisfiable' | undefined {
  const [unit = '', set, ...rest] = field.split('=')
  if (unit.toLowerCase() !== 'bytes' || set === undefined || rest.length > 0) return undefined
  const parts = set.replace(/^[ \t]+|[ \t]+$/g, '').split('-')
  if (parts.length !== 2 || !parts.every((part) => [...part].every((char) => char >= '0' && char <= '9')))
    return undefined
  const [first = '', last = ''] = parts
  // More digits than any file has bytes: we may ignore a field, and do.
  if (first.length > 16 || last.length > 16) return undefined
  if (first === '' && last === '') return undefined
  const size = BigInt(bytes.length)
  const wanted: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const position = BigInt(at)
    const inside =
      first === ''
        ? position >= size - BigInt(last)
        : position >= BigInt(first) && (last === '' || position <= BigInt(last))
    if (inside) wanted.push(at)
  }
  if (first !== '' && last !== '' && BigInt(last) < BigInt(first)) return undefined
  return wanted.length === 0 ? 'unsatisfiable' : Uint8Array.from(wanted, (at) => bytes[at] ?? 0)
}

/** Range fields near the edges of a file of `size` bytes, and some that are none. */
export function rangeFields(size: number): fc.Arbitrary<string> {
  const position = fc.oneof(
    fc.constantFrom(0, 1, size - 2, size - 1, size, size + 1).map((at) => Math.max(0, at)),
    fc.nat(size * 2),
    fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53),
  )
  const text = position.map(String)
  const whole = fc.oneof(
    fc.tuple(text, text).map(([a, b]) => `bytes=${a}-${b}`),
    text.map((a) => `bytes=${a}-`),
    text.map((a) => `bytes=-${a}`),
    fc.tuple(text, text).map(([a, b]) => `bytes= ${a}-${b}`),
    fc.tuple(text, text).map(([a, b]) => `BYTES=00${a}-${b}`),
  )
  const odd = fc.oneof(
    fc.constantFrom(
      'bytes=-',
      'bytes=',
      'bytes',
      '-',
      'items=0-1',
      'bytes=0-1,3-4',
      'bytes=a-b',
      'bytes=0--1',
      'bytes=1e1-2',
    ),
    fc.string({ maxLength: 12 }).map((junk) => `bytes=${junk.replace(/[^\x21-\x7e]/g, '')}`),
  )
  return fc.oneof({ weight: 8, arbitrary: whole }, { weight: 1, arbitrary: odd })
}

import { toBytes } from '../core/bytes.ts'

/**
 * A set one can ask but not list, in as little room as there is for one (a Golomb-coded set): each entry is a hash below
 * `count · 2^k`, and the gaps between the hashes, in order, are written in Golomb and Rice's code. Never a false no; a
 * false yes about once in 2^k questions.
 */
export interface GolombSet {
  readonly bytes: Uint8Array
  /** How many entries there are. */
  readonly count: number
  readonly k: number
}

/** FNV-1a, finished as MurmurHash3 does, since FNV's low bits mix badly on short input; onto `count · 2^k`. */
function hash(entry: string, count: number, k: number): number {
  let value = 0x811c9dc5
  for (const byte of toBytes(entry)) value = Math.imul(value ^ byte, 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return Math.floor((((value ^ (value >>> 16)) >>> 0) / 2 ** 32) * count * 2 ** k)
}

/** Writes a set down. */
export function golombEncode(entries: readonly string[], k: number): GolombSet {
  const count = entries.length
  const hashes = entries.map((entry) => hash(entry, count, k)).sort((a, b) => a - b)
  const bits: number[] = []
  let last = 0
  for (const value of hashes) {
    const gap = value - last
    last = value
    for (let i = gap >>> k; i > 0; i--) bits.push(1)
    bits.push(0)
    for (let i = k - 1; i >= 0; i--) bits.push((gap >>> i) & 1)
  }
  const bytes = new Uint8Array(Math.ceil(bits.length / 8))
  for (const [at, bit] of bits.entries()) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (bit << (7 - (at & 7)))
  return { bytes, count, k }
}

/** Reads a set: gives the function that asks it. */
export function golombReader({ bytes, count, k }: GolombSet): (entry: string) => boolean {
  const hashes = new Set<number>()
  let at = 0
  const bit = () => ((bytes[at >> 3] ?? 0) >> (7 - (at++ & 7))) & 1
  for (let last = 0; hashes.size < count && at < bytes.length * 8; hashes.add(last)) {
    while (bit() === 1) last += 2 ** k
    for (let i = k - 1; i >= 0; i--) last += bit() << i
  }
  return (entry) => hashes.has(hash(entry, count, k))
}

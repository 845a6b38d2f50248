import { toBytes } from '../core/index.ts'

/** A set one can ask but not list: never a false no, a false yes about once in 2^k questions when half full. */
export interface BloomFilter {
  /** The bit array. Its length in bits need not be a power of two. */
  readonly bits: Uint8Array
  /** Bits set for each entry. */
  readonly k: number
}

// Two FNV-1a hashes with different offsets; the i-th position is a + i·b (Kirsch and Mitzenmacher, 2006).
function fnv1a(bytes: Uint8Array, offset: number): number {
  let hash = offset
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  // FNV's low bits mix badly on short input: finish as MurmurHash3 does.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function* positions(filter: BloomFilter, entry: string): Generator<number> {
  const bytes = toBytes(entry)
  const a = fnv1a(bytes, 0x811c9dc5)
  const b = fnv1a(bytes, 0x9747b28c) | 1
  const size = filter.bits.length * 8
  for (let i = 0; i < filter.k; i++) yield ((a + Math.imul(i, b)) >>> 0) % size
}

/** Adds an entry. */
export function bloomAdd(filter: BloomFilter, entry: string): void {
  for (const at of positions(filter, entry)) {
    filter.bits[at >> 3] = (filter.bits[at >> 3] ?? 0) | (1 << (at & 7))
  }
}

/** Whether an entry is (almost certainly) in the set. False is certain. */
export function bloomHas(filter: BloomFilter, entry: string): boolean {
  for (const at of positions(filter, entry)) {
    if (((filter.bits[at >> 3] ?? 0) & (1 << (at & 7))) === 0) return false
  }
  return true
}

/** An address as a number, with its length in bits: 32 or 128. */
export interface Address {
  readonly bits: 32 | 128
  readonly value: bigint
}

/** A network: every address whose first `length` bits are those of `value`. */
export interface Network extends Address {
  readonly length: number
}

const MAPPED = 0xffffn << 32n

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0n
  for (const part of parts) {
    // No octal and no blanks: what two parsers read differently is no address.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = (value << 8n) | BigInt(part)
  }
  return value
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const read = (half: string): bigint[] | undefined => {
    if (half === '') return []
    const groups: bigint[] = []
    const parts = half.split(':')
    for (const [i, part] of parts.entries()) {
      const v4 = i === parts.length - 1 && part.includes('.') ? parseV4(part) : undefined
      if (v4 !== undefined) groups.push(v4 >> 16n, v4 & 0xffffn)
      else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`))
      else return undefined
    }
    return groups
  }
  const head = read(halves[0] as string)
  const tail = halves.length === 2 ? read(halves[1] as string) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  return [...head, ...new Array<bigint>(missing).fill(0n), ...tail].reduce(
    (sum, group) => (sum << 16n) | group,
    0n,
  )
}

/**
 * Reads an IPv4 or IPv6 address (RFC 4291; a zone after `%` is dropped). An IPv4 address written as IPv6
 * (`::ffff:192.0.2.1`) is read as IPv4. Undefined when it is no address.
 */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const value = parseV4(text)
    return value === undefined ? undefined : { bits: 32, value }
  }
  const value = parseV6(text.split('%')[0] as string)
  if (value === undefined) return undefined
  return value >> 32n === MAPPED >> 32n ? { bits: 32, value: value & 0xffffffffn } : { bits: 128, value }
}

/**
 * Reads an address or a network in CIDR notation, such as `203.0.113.0/24` or `2001:db8::/32`.
 * @throws TypeError when it is neither, or has bits set behind its length, which is a slip more often than not.
 */
export function network(text: string): Network {
  const [written = '', suffix, ...rest] = text.split('/')
  const address = parseAddress(written)
  const wrong = new TypeError(`"${text}" is no address and no network such as 203.0.113.0/24`)
  if (address === undefined || rest.length > 0) throw wrong
  const { bits, value } = address
  if (suffix === undefined) return { bits, value, length: bits }
  if (!/^\d{1,3}$/.test(suffix)) throw wrong
  // ::ffff:192.0.2.0/120 is 192.0.2.0/24.
  const length = Number(suffix) - (bits === 32 && written.includes(':') ? 96 : 0)
  if (length < 0 || length > bits) throw wrong
  if (value & ((1n << BigInt(bits - length)) - 1n)) {
    throw new TypeError(`"${text}" has bits set behind its length`)
  }
  return { bits, value, length }
}

/** Whether an address is in a network. */
export function inNetwork(address: Address, { bits, value, length }: Network): boolean {
  const behind = BigInt(bits - length)
  return address.bits === bits && address.value >> behind === value >> behind
}

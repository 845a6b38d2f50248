import type { Context } from 'hono'

function groups(text: string): number[] | undefined {
  if (text === '') return []
  const out: number[] = []
  for (const part of text.split(':')) {
    const dotted = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(part)
    if (dotted) {
      const [a, b, c, d] = dotted.slice(1).map(Number) as [number, number, number, number]
      if (a > 255 || b > 255 || c > 255 || d > 255) return undefined
      out.push(a * 256 + b, c * 256 + d)
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      out.push(Number.parseInt(part, 16))
    } else {
      return undefined
    }
  }
  return out
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|[01]?\d?\d)(?:\.(?!$)|$)){4}$/

/**
 * The network an address is limited by: an IPv4 address by itself, an IPv6 address by its /64, since a single
 * subscriber has at least that much (RFC 6177) and could otherwise change its address with every request. An IPv4
 * address written as IPv6 (`::ffff:192.0.2.1`, RFC 4291) counts as IPv4. Undefined when it is no address.
 */
export function addressNetwork(address: string): string | undefined {
  if (!address.includes(':')) return IPV4.test(address) ? address : undefined
  const halves = (address.split('%')[0] as string).split('::')
  if (halves.length > 2) return undefined
  const head = groups(halves[0] as string)
  const tail = halves.length === 2 ? groups(halves[1] as string) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail]
  if (all.slice(0, 5).every((group) => group === 0) && all[5] === 0xffff) {
    const [high, low] = all.slice(6) as [number, number]
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  return `${all
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`
}

/**
 * The caller's network as Cloudflare saw it (`CF-Connecting-IP`, which a client cannot forge). Callers without
 * one, such as other Workers over a service binding, share one key.
 */
export function byAddress(c: Context): string {
  const address = c.req.header('cf-connecting-ip')
  return `ip:${(address !== undefined && addressNetwork(address)) || 'unknown'}`
}

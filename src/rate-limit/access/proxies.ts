import type { Context } from 'hono'
import { inNetwork, type Network, network, parseAddress } from './cidr.ts'

/** Proxies before Cloudflare whose word about the client's address is believed. */
export interface TrustedProxies {
  /** Their addresses and networks. */
  readonly networks: readonly string[]
  /**
   * Where they write what they saw: `x-forwarded-for` (a list, each proxy adds at its end), or a field of one address
   * that they overwrite, such as `true-client-ip`. Default `x-forwarded-for`.
   */
  readonly header?: string
}

/** An address as it stands in `X-Forwarded-For`: some proxies add the port. */
function bare(text: string): string {
  const trimmed = text.trim()
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(trimmed)
  if (bracketed) return bracketed[1] as string
  return /^[\d.]+:\d{1,5}$/.test(trimmed) ? trimmed.slice(0, trimmed.indexOf(':')) : trimmed
}

/**
 * Makes a function that tells the client's address. Without proxies it is what Cloudflare saw (`CF-Connecting-IP`). When
 * that is a trusted proxy, it is the last address of the proxy's field that is not a trusted proxy itself: everything
 * before it is only what a client claims.
 *
 * @throws TypeError when a network is not one.
 * @returns The address as it was written, or undefined when there is none.
 */
export function clientAddress(proxies?: TrustedProxies): (c: Context) => string | undefined {
  const networks: readonly Network[] = (proxies?.networks ?? []).map(network)
  const header = proxies?.header ?? 'x-forwarded-for'
  const trusted = (text: string): boolean => {
    const address = parseAddress(text)
    return address !== undefined && networks.some((one) => inNetwork(address, one))
  }
  return (c) => {
    let address = c.req.header('cf-connecting-ip')
    if (address === undefined || !trusted(address)) return address
    for (const text of (c.req.header(header) ?? '').split(',').reverse()) {
      const before = bare(text)
      // What is no address ends the chain: whoever wrote it is not to be believed about the rest.
      if (parseAddress(before) === undefined) return address
      address = before
      if (!trusted(address)) return address
    }
    return address
  }
}

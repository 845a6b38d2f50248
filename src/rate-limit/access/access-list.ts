import type { Context } from 'hono'
import type { Access } from '../gate.ts'
import { inNetwork, network, parseAddress } from './cidr.ts'
import { clientAddress, type TrustedProxies } from './proxies.ts'

/** Numbers from `min` to `max`, both included; either may be left out. */
export interface Range {
  readonly min?: number
  readonly max?: number
}

/** Who is on a list: whoever meets any one of these. */
export interface AccessRules {
  /** Addresses and networks: `192.0.2.7`, `203.0.113.0/24`, `2001:db8::/32`. */
  readonly addresses?: readonly string[]
  /** Numbers of autonomous systems: `64496`. */
  readonly asns?: readonly number[]
  /** Countries by ISO 3166-1 alpha-2; Cloudflare says `T1` of Tor and `XX` of what it does not know. */
  readonly countries?: readonly string[]
  /** Cloudflare's bot score, 1 (surely automated) to 99 (surely human): needs Bot Management. */
  readonly botScore?: Range
  /** Bots that Cloudflare has verified, such as search engines: needs Bot Management. */
  readonly verifiedBots?: boolean
}

/** Options of {@link accessList}. */
export interface AccessListOptions {
  /** Not limited at all. Wins over the others. */
  readonly allow?: AccessRules
  /** Refused with 403. Wins over `challenge`. */
  readonly deny?: AccessRules
  /** Asked for a proof; refused where `rateLimit` has no `challenge`. */
  readonly challenge?: AccessRules
  /** Proxies before Cloudflare whose word about the address is believed. */
  readonly proxies?: TrustedProxies
}

interface Facts {
  readonly address: ReturnType<typeof parseAddress>
  readonly asn: unknown
  readonly country: unknown
  readonly score: unknown
  readonly verified: boolean
}

type Rule = (facts: Facts) => boolean

function factsOf(c: Context, address: string | undefined): Facts {
  const cf = (c.req.raw as { cf?: Partial<IncomingRequestCfProperties> }).cf
  const bots = cf?.botManagement as { score?: number; verifiedBot?: boolean } | undefined
  return {
    address: address === undefined ? undefined : parseAddress(address),
    asn: cf?.asn,
    country: cf?.country,
    score: bots?.score,
    verified: bots?.verifiedBot === true,
  }
}

function compile(rules: AccessRules | undefined): Rule {
  const networks = (rules?.addresses ?? []).map(network)
  const asns = new Set<unknown>(rules?.asns)
  for (const asn of asns) {
    if (!(Number.isInteger(asn) && (asn as number) > 0))
      throw new TypeError(`"${asn}" is no number of an autonomous system`)
  }
  const countries = new Set<unknown>(rules?.countries)
  for (const country of countries) {
    if (!/^[A-Z][A-Z\d]$/.test(String(country))) throw new TypeError(`"${country}" is no country such as NL`)
  }
  const { botScore, verifiedBots = false } = rules ?? {}
  const { min = 1, max = 99 } = botScore ?? {}
  if (botScore && !(min >= 1 && max <= 99 && min <= max)) throw new TypeError('A bot score is 1 to 99')
  return ({ address, asn, country, score, verified }) =>
    (address !== undefined && networks.some((one) => inNetwork(address, one))) ||
    asns.has(asn) ||
    countries.has(country) ||
    // 0 is what Cloudflare says where it has no score.
    (botScore !== undefined && typeof score === 'number' && score >= min && score <= max) ||
    (verifiedBots && verified)
}

/**
 * Allow and deny lists by address, network, autonomous system, country and bot score, for the option `access` of
 * `rateLimit`. What is asked for but not known of a request (`request.cf` is filled by Cloudflare alone) is not on a list.
 *
 * @throws TypeError at once when a rule cannot be right.
 * @example rateLimit({ limiter, access: accessList({ deny: { addresses: ['203.0.113.0/24'], asns: [64496] } }) })
 */
export function accessList(options: AccessListOptions): Access {
  const addressOf = clientAddress(options.proxies)
  const lists = (['allow', 'deny', 'challenge'] as const).map(
    (name) => [name, compile(options[name])] as const,
  )
  return (c) => {
    const facts = factsOf(c, addressOf(c))
    return lists.find(([, on]) => on(facts))?.[0]
  }
}

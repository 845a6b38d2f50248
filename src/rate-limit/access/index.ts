/**
 * Who is asking, and who is let in at all: keys for limits, allow and deny lists, challenges, addresses behind proxies.
 * Apart from `breakwater/rate-limit`, so that whoever needs none of it does not carry it.
 * @module
 */
export { type AccessListOptions, type AccessRules, accessList, type Range } from './access-list.ts'
export { inNetwork, type Network, network, parseAddress } from './cidr.ts'
export { by, type KeyPart } from './keys.ts'
export { clientAddress, type TrustedProxies } from './proxies.ts'
export { type TurnstileOptions, turnstile } from './turnstile.ts'

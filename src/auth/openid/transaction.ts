import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { generateRandomCodeVerifier, generateRandomNonce, generateRandomState } from 'oauth4webapi'
import { toBytes } from '../../core/bytes.ts'
import { uuidv7 } from '../../core/index.ts'
import type { Secrets } from '../mail-token.ts'
import { seal, unseal } from '../sealing.ts'

/** A sign-in that is under way at a provider. It is with the browser that began it, encrypted, and nowhere else. */
export interface Transaction {
  /** Names it among those that were answered. */
  readonly id: string
  readonly provider: string
  readonly state: string
  readonly nonce: string
  /** PKCE (RFC 7636). */
  readonly verifier: string
  /** Where the person goes then: a path of ours. */
  readonly returnTo: string
  /** Whether the provider shall ask for the proof again, however lately it was given. */
  readonly again: boolean
  /** Who adds this way in to an account of theirs, and in which session. */
  readonly link: { readonly userId: string; readonly sessionId: string } | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** How long somebody may take at the provider. */
const TRANSACTION_MS = 10 * 60_000

const attributes = { path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const

// One for each, so that two tabs do not spoil each other's.
const PREFIX = '__Host-openid-'
const cookieName = (state: string) => `${PREFIX}${state.slice(0, 12)}`
/** How many may be under way in one browser: those that were left lie about until they expire, and headers have an end. */
const MOST = 5
const ownerOf = (state: string) => `breakwater/auth/openid/1\n${state}`

/** Begins a transaction. */
export function newTransaction(
  about: Pick<Transaction, 'provider' | 'returnTo' | 'again' | 'link'>,
): Transaction {
  return {
    ...about,
    id: uuidv7(),
    state: generateRandomState(),
    nonce: generateRandomNonce(),
    verifier: generateRandomCodeVerifier(),
    expiresAt: Date.now() + TRANSACTION_MS,
  }
}

/** Hands a transaction to the browser. */
export async function keepTransaction(c: Context, secrets: Secrets, transaction: Transaction): Promise<void> {
  const { state } = transaction
  const underWay = Object.keys(getCookie(c)).filter((name) => name.startsWith(PREFIX))
  for (const name of underWay.slice(0, -(MOST - 1))) deleteCookie(c, name, attributes)
  const value = await seal(secrets, ownerOf(state), toBytes(JSON.stringify(transaction)))
  setCookie(c, cookieName(state), value, { ...attributes, maxAge: TRANSACTION_MS / 1000 })
}

/**
 * Takes the transaction of this state back from the browser. Undefined when it has none, when it is of another
 * provider, or too old.
 */
export async function takeTransaction(
  c: Context,
  secrets: Secrets,
  provider: string,
  state: string | null,
): Promise<Transaction | undefined> {
  if (state === null || !/^[\w-]{43}$/.test(state)) return undefined
  const sealed = getCookie(c, cookieName(state))
  if (sealed === undefined) return undefined
  deleteCookie(c, cookieName(state), attributes)
  const bytes = await unseal(secrets, ownerOf(state), sealed)
  if (bytes === undefined) return undefined
  const transaction = JSON.parse(new TextDecoder().decode(bytes)) as Transaction
  const fits = transaction.provider === provider && transaction.state === state
  return fits && transaction.expiresAt > Date.now() ? transaction : undefined
}

/** A path of ours to go to, or undefined for anything that leads elsewhere. */
export function returnPath(origin: string, text: string): string | undefined {
  if (!text.startsWith('/') || text.length > 1024) return undefined
  const url = URL.parse(text, origin)
  // A path that begins with two slashes would be read as another host.
  if (url === null || url.origin !== origin || url.pathname.startsWith('//')) return undefined
  return `${url.pathname}${url.search}${url.hash}`
}

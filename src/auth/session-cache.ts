import { fromBase64Url, toBase64Url, toBytes } from '../core/bytes.ts'
import { hmac, verifyHmac } from '../core/crypto.ts'
import type { Secrets } from './mail-token.ts'
import type { Identity, Session } from './session-store.ts'
import { isUuid } from './token.ts'

const LABEL = 'breakwater/auth/session-cache/2'
const MAX_LENGTH = 2048
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// The session's own token is part of what is signed: a cached identity is of no use without it, and one left
// over from an earlier session does not fit the next.
const signed = (token: string, payload: string) => `${LABEL}\n${token}\n${payload}`

/** An identity and when the database was asked, as base64url. */
export function writeIdentity({ user, session }: Identity, issuedAt: number): string {
  const { id, createdAt, authenticatedAt, lastUsedAt, expiresAt, device, country, city } = session
  return toBase64Url(
    toBytes(
      JSON.stringify([
        issuedAt,
        user.id,
        user.email,
        user.createdAt.getTime(),
        user.roles,
        id,
        createdAt.getTime(),
        authenticatedAt.getTime(),
        lastUsedAt.getTime(),
        expiresAt.getTime(),
        device,
        country,
        city,
        session.transport,
        session.methods,
      ]),
    ),
  )
}

/** Writes a cached identity, bound to the session cookie's value. */
export async function sealIdentity(
  secrets: Secrets,
  token: string,
  identity: Identity,
  issuedAt: number,
): Promise<string> {
  const payload = writeIdentity(identity, issuedAt)
  return `${payload}.${toBase64Url(await hmac(secrets[0], signed(token, payload)))}`
}

const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(Math.trunc(value)) && Math.abs(value) < 8.64e15
const isNullableText = (value: unknown): value is string | null => value === null || typeof value === 'string'
const isList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

/** What a signed text says, in a form that may be kept between requests. Times are milliseconds since the epoch. */
export interface Claim {
  /** When the database was asked. */
  readonly issuedAt: number
  readonly userId: string
  readonly email: string
  readonly joined: number
  readonly roles: readonly string[]
  readonly id: string
  readonly created: number
  readonly authenticated: number
  readonly used: number
  readonly expires: number
  readonly device: string | null
  readonly country: string | null
  readonly city: string | null
  readonly transport: Session['transport']
  readonly methods: readonly string[]
}

/** Reads the form of a cached identity. Nothing it says may be believed until {@link verifySeal} agrees. Never throws. */
export function readClaim(text: string | undefined): Claim | undefined {
  if (text === undefined || text.length > MAX_LENGTH) return undefined
  const bytes = fromBase64Url(text.split('.')[0] ?? '')
  if (bytes === undefined) return undefined
  let list: unknown
  try {
    list = JSON.parse(utf8.decode(bytes))
  } catch {
    return undefined
  }
  if (!Array.isArray(list) || list.length !== 15) return undefined
  const [issuedAt, userId, email, joined, roles, id, created, authenticated, used, expires, ...rest] =
    list as readonly unknown[]
  const [device, country, city, transport, methods] = rest
  if (!isUuid(userId) || !isUuid(id) || typeof email !== 'string') return undefined
  if (!isTime(issuedAt) || !isTime(joined) || !isTime(created) || !isTime(authenticated)) return undefined
  if (!isTime(used) || !isTime(expires)) return undefined
  if (!isNullableText(device) || !isNullableText(country) || !isNullableText(city)) return undefined
  if (!isList(roles) || !isList(methods) || (transport !== 'cookie' && transport !== 'token'))
    return undefined
  const times = { issuedAt, joined, created, authenticated, used, expires }
  return { ...times, userId, email, roles, id, device, country, city, transport, methods }
}

/** The identity in a claim: new objects each time, since whoever gets them may change them. */
export function identityOf(claim: Claim): Identity {
  const { userId, id, device, country, city, transport } = claim
  return {
    user: { id: userId, email: claim.email, createdAt: new Date(claim.joined), roles: [...claim.roles] },
    session: {
      id,
      userId,
      createdAt: new Date(claim.created),
      authenticatedAt: new Date(claim.authenticated),
      lastUsedAt: new Date(claim.used),
      expiresAt: new Date(claim.expires),
      device,
      country,
      city,
      transport,
      methods: [...claim.methods],
    },
  }
}

/** Whether a cached identity was written by us for this very session cookie. Never throws. */
export async function verifySeal(secrets: Secrets, token: string, text: string): Promise<boolean> {
  const [payload = '', mac = '', ...more] = text.split('.')
  const signature = fromBase64Url(mac)
  if (more.length > 0 || signature === undefined || signature.length !== 32) return false
  return verifyHmac(secrets, signed(token, payload), signature)
}

import { Hono } from 'hono'
import { toBase64Url, toBytes } from '../core/bytes.ts'
import { uuidv7 } from '../core/index.ts'
import { declareInto } from '../db/critical.ts'
import type { AnyDatabase, CriticalQuery, CriticalSource, PickValue } from '../db/index.ts'
import { administration } from './administration/index.ts'
import { apiKeyRoutes, createApiKeys } from './api-keys/index.ts'
import { type Auth, createAuth, insideOf } from './auth.ts'
import type { AuthDatabase } from './database.ts'
import type { PasswordHasher } from './hashers/hasher.ts'
import type { AuthEnv } from './middleware.ts'
import { listIdentities } from './openid/manage.ts'
import { identities } from './openid/schema.ts'
import { findIdentity, signInByProvider } from './openid/sign-in.ts'
import { passkeyRoutes } from './passkeys/index.ts'
import { passkeys } from './passkeys/schema.ts'
import { descriptors, findPasskey } from './passkeys/stored.ts'
import { authRoutes } from './routes.ts'
import { users } from './schema.ts'
import { stepAt, totpCode } from './totp.ts'

/** What accounts and sessions ask of Postgres, flow by flow, for tests of its plans. */
export const authQueries: CriticalQuery[] = []
const critical = declareInto(authQueries)

const ORIGIN = 'https://app.example'

/** Takes any password for the right one, so that flows can go on from rows that were made up. */
const anyPassword: PasswordHasher = {
  id: 'stub',
  decoy: '$stub$decoy',
  hash: async () => '$stub$made',
  verify: async () => true,
  needsRehash: () => false,
}

/** Takes anything for a passkey. */
const anyPasskey = {
  registration: async () => ({
    credentialId: uuidv7(),
    publicKey: 'a',
    counter: 0,
    transports: ['internal'],
    backupEligible: true,
    backedUp: true,
    aaguid: uuidv7(),
  }),
  assertion: async () => ({ counter: 0, backedUp: true }),
}

interface Mailbox {
  token: string
}

function authOn(db: AnyDatabase, mailbox: Mailbox = { token: '' }): Auth {
  return createAuth({
    db: db as unknown as AuthDatabase,
    secrets: ['not a secret at all, for plans only'],
    app: { name: 'Plans', origin: ORIGIN },
    limiter: 'none',
    tokens: {},
    mailer: {
      async send({ text }) {
        mailbox.token = /#token=([^\s]+)/.exec(text ?? '')?.[1] ?? mailbox.token
        return { id: '1' }
      },
    },
    hasher: anyPassword,
  })
}

interface Reply {
  readonly status: number
  readonly json: Readonly<Record<string, unknown>>
}

/** A browser at the app: what it is answered is looked at as far as flows need it to go on. */
interface Visit {
  (method: string, path: string, body?: unknown): Promise<Reply>
  readonly mailbox: Mailbox
}

function visit(db: AnyDatabase): Visit {
  const mailbox = { token: '' }
  const auth = authOn(db, mailbox)
  const app = new Hono<AuthEnv>()
    .route('/auth', authRoutes(auth))
    .route('/auth/passkeys', passkeyRoutes(auth, { verifier: anyPasskey }))
    .route('/keys', apiKeyRoutes(createApiKeys(auth, { scopes: ['read'] })))
  app.onError((error, c) => c.json({ error: error.message }, 500))
  const jar = new Map<string, string>()
  const later: Promise<unknown>[] = []
  const context = {
    waitUntil: (promise: Promise<unknown>) => void later.push(promise),
    passThroughOnException() {},
    props: {},
  }
  const go = async (method: string, path: string, body?: unknown): Promise<Reply> => {
    const headers = new Headers({ Origin: ORIGIN, 'Sec-Fetch-Site': 'same-origin' })
    if (body !== undefined) headers.set('Content-Type', 'application/json')
    if (jar.size > 0) headers.set('Cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const at = path.startsWith('/keys') ? path : `/auth${path}`
    const response = await app.fetch(new Request(`${ORIGIN}${at}`, init), {}, context as never)
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }
    while (later.length > 0) await Promise.allSettled(later.splice(0))
    const text = await response.text()
    return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : {} }
  }
  return Object.assign(go, { mailbox })
}

/** Goes on only when it went well: else what follows would not be looked at. */
function well(reply: Reply, what: string): Reply {
  if (reply.status >= 300) throw new Error(`${what} was answered with ${reply.status}`)
  return reply
}

const password = 'a perfectly fine passphrase'

/** A flow of somebody who has signed in. Fails when signing in does. */
const signedIn =
  (flow: (go: Visit, email: string) => Promise<unknown>): CriticalSource =>
  async (db, pick) => {
    // Some accounts of a filled database are disabled, not verified, or have a second factor.
    for (let tries = 0; tries < 10; tries++) {
      const go = visit(db)
      const email = await pick(users.email)
      const { json } = await go('POST', '/sign-in', { email, password })
      if (json['session'] !== undefined) return flow(go, email)
    }
    throw new Error('nobody of the filled database can sign in')
  }

/** A flow of somebody who has made an account just now. */
const newcomer =
  (flow: (go: Visit, email: string) => Promise<unknown>): CriticalSource =>
  async (db) => {
    const go = visit(db)
    const email = `${uuidv7()}@example.net`
    well(await go('POST', '/sign-up', { email, password }), 'signing up')
    well(await go('POST', '/verify-mail', { token: go.mailbox.token }), 'verifying')
    const { json } = well(await go('POST', '/sign-in', { email, password }), 'signing in')
    if (json['session'] === undefined) throw new Error('the newcomer cannot sign in')
    return flow(go, email)
  }

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function fromBase32(text: string): Uint8Array<ArrayBuffer> {
  const bits = [...text].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Uint8Array.from({ length: Math.floor(bits.length / 8) }, (_, at) =>
    Number.parseInt(bits.slice(at * 8, at * 8 + 8), 2),
  )
}

/** Adds an authenticator app, and signs in by it. */
async function secondFactor(go: Visit, email: string): Promise<void> {
  const { json } = well(await go('POST', '/second-factor/totp/enrol'), 'enrolling')
  const secret = fromBase32(String(json['secret']))
  const code = (ahead: number): Promise<string> => totpCode(secret, stepAt(Date.now()) + ahead)
  well(await go('POST', '/second-factor/totp/confirm', { code: await code(-1) }), 'confirming')
  well(await go('GET', '/second-factor'), 'factors')
  const again = await go('POST', '/sign-in', { email, password })
  const { challenge } = again.json
  well(await go('POST', '/sign-in/second-factor', { challenge, code: await code(0) }), 'the second factor')
  const renewed = well(await go('POST', '/second-factor/recovery-codes', { code: await code(1) }), 'renewing')
  const [recovery] = renewed.json['recoveryCodes'] as string[]
  well(await go('POST', '/second-factor/totp/remove', { code: recovery }), 'removing')
}

const clientData = (challenge: unknown): string =>
  toBase64Url(toBytes(JSON.stringify({ type: 'webauthn', challenge, origin: ORIGIN })))

async function passkey(go: Visit): Promise<void> {
  const asked = well(await go('POST', '/passkeys/register/options'), 'registering')
  const response = { clientDataJSON: clientData(asked.json['challenge']), attestationObject: 'a' }
  const credential = { id: 'a', rawId: 'a', type: 'public-key', response }
  const made = well(await go('POST', '/passkeys/register', { credential, name: 'Key' }), 'a new passkey')
  const { id } = made.json['passkey'] as { id: string }
  well(await go('PATCH', `/passkeys/${id}`, { name: 'Other' }), 'renaming')
  well(await go('GET', '/passkeys'), 'passkeys')
  well(await go('DELETE', `/passkeys/${id}`), 'removing a passkey')
}

async function apiKey(go: Visit): Promise<void> {
  const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
  const made = well(await go('POST', '/keys', { name: 'Key', scopes: ['read'], expiresAt }), 'a new key')
  const { id } = made.json['apiKey'] as { id: string }
  well(await go('GET', '/keys'), 'keys')
  well(await go('DELETE', `/keys/${id}`), 'revoking')
}

async function refreshing(go: Visit, email: string): Promise<void> {
  const { json } = well(await go('POST', '/sign-in', { email, password, transport: 'token' }), 'signing in')
  const { refreshToken } = json['tokens'] as { refreshToken: string }
  const next = well(await go('POST', '/token/refresh', { refreshToken }), 'refreshing')
  const tokens = next.json['tokens'] as { refreshToken: string }
  await go('POST', '/token/refresh', { refreshToken: tokens.refreshToken })
  well(await go('POST', '/token/revoke', { refreshToken: tokens.refreshToken }), 'revoking')
}

async function mailChange(go: Visit): Promise<void> {
  well(await go('POST', '/mail/change', { email: `${uuidv7()}@example.net` }), 'asking for another address')
  well(await go('POST', '/mail/confirm', { token: go.mailbox.token }), 'confirming it')
}

/** Signing in by a provider: who has an account there, and who makes one. */
async function openid(db: AnyDatabase, issuer: string, subject: string): Promise<void> {
  const { config } = insideOf(authOn(db))
  const nobody = async (): Promise<void> => {}
  const visitor = {
    address: '192.0.2.1',
    device: null,
    country: null,
    city: null,
    waitUntil() {},
    later: nobody,
  }
  const provider = { id: 'plans', signUp: true } as never
  const exchange = async () => ({
    claims: { issuer, subject, authenticatedAt: undefined },
    verifiedMail: async () => `${uuidv7()}@example.net`,
    tokens: { access_token: 'a' },
  })
  const transaction = { id: uuidv7(), expiresAt: Date.now() + 60_000 }
  const input = { parameters: new URLSearchParams(), transaction, replaces: undefined, device: undefined }
  const client = { provider, exchange } as never
  await signInByProvider(config, { path: '/auth/openid' } as never, client, input as never, visitor)
}

const insideAuth = (db: AnyDatabase) => insideOf(authOn(db)).config
const admin = (db: AnyDatabase) => administration(authOn(db))
const somebody = (pick: PickValue): Promise<string> => pick(users.id)

critical('auth.sign-up', (db) =>
  visit(db)('POST', '/sign-up', { email: `${uuidv7()}@example.net`, password }),
)
critical('auth.sign-up-again', async (db, pick) =>
  visit(db)('POST', '/sign-up', { email: await pick(users.email), password }),
)
critical(
  'auth.verify-mail',
  newcomer(async () => {}),
)
critical('auth.forgot-password', async (db, pick) => {
  const go = visit(db)
  await go('POST', '/password/forgot', { email: await pick(users.email) })
  await go('POST', '/password/reset', { token: go.mailbox.token, newPassword: `${password}!` })
})
critical(
  'auth.session',
  signedIn((go) => go('GET', '/session')),
)
critical(
  'auth.sessions',
  signedIn((go) => go('GET', '/sessions')),
)
critical(
  'auth.end-session',
  signedIn((go) => go('DELETE', `/sessions/${uuidv7()}`)),
)
critical(
  'auth.sign-out',
  signedIn((go) => go('POST', '/sign-out')),
)
critical(
  'auth.sign-out-everywhere',
  signedIn((go) => go('POST', '/sign-out-everywhere')),
)
critical(
  'auth.change-password',
  signedIn((go) =>
    go('POST', '/password/change', { currentPassword: password, newPassword: `${password}!` }),
  ),
)
critical('auth.refresh', signedIn(refreshing))
critical('auth.change-mail', newcomer(mailChange))
critical(
  'auth.close-account',
  newcomer(async (go) => well(await go('POST', '/account/close'), 'closing')),
)
critical('auth.second-factor', newcomer(secondFactor))
critical('auth.passkey', newcomer(passkey))
critical('auth.find-passkey', async (db, pick) => {
  const challenge = { id: uuidv7(), expiresAt: Date.now() }
  await findPasskey(insideAuth(db), await pick(passkeys.credentialId), challenge)
  await descriptors(insideAuth(db), await pick(passkeys.userId))
})
critical('auth.api-key', newcomer(apiKey))
critical('auth.openid', async (db, pick) => {
  await openid(db, ORIGIN, uuidv7())
  const [issuer, subject] = [await pick(identities.issuer), await pick(identities.subject)]
  await findIdentity(insideAuth(db), { issuer, subject, authenticatedAt: undefined })
  await listIdentities(insideAuth(db), await pick(identities.userId))
})
critical('auth.disable-user', async (db, pick) => admin(db).disableUser(await somebody(pick)))
critical('auth.enable-user', async (db, pick) => admin(db).enableUser(await somebody(pick)))
critical('auth.set-roles', async (db, pick) => admin(db).setRoles(await somebody(pick), ['editor']))
critical('auth.remove-second-factor', async (db, pick) => admin(db).removeSecondFactor(await somebody(pick)))
critical('auth.events', async (db, pick) => admin(db).listEvents(await somebody(pick)))
critical('auth.end-sessions', async (db, pick) => authOn(db).endSessions(await somebody(pick)))
critical('auth.prune', (db) => admin(db).prune({ limit: 100 }))

import { Hono } from 'hono'
import { administration } from '../../auth/administration/index.ts'
import { createAuth } from '../../auth/auth.ts'
import type { AuthDatabase } from '../../auth/database.ts'
import type { PasswordHasher } from '../../auth/hashers/hasher.ts'
import type { AuthEnv } from '../../auth/middleware.ts'
import { authRoutes } from '../../auth/routes.ts'
import { users } from '../../auth/schema.ts'
import { uuidv7 } from '../../core/index.ts'
import type { AnyDatabase, CriticalSource } from '../../db/index.ts'

const ORIGIN = 'https://app.example'

/** Takes any password for the right one, so that flows can go on from rows that were made up. */
const anyPassword: PasswordHasher = {
  id: 'stub',
  decoy: '$stub$decoy',
  hash: async () => '$stub$made',
  verify: async () => true,
  needsRehash: () => false,
}

function authOn(db: AnyDatabase) {
  return createAuth({
    db: db as unknown as AuthDatabase,
    secrets: ['not a secret at all, for plans only'],
    app: { name: 'Plans', origin: ORIGIN },
    limiter: 'none',
    mailer: { send: async () => ({ id: '1' }) },
    enqueue: async () => uuidv7(),
    hasher: anyPassword,
  })
}

/** A browser at the app: what it is answered is not looked at, only what was asked of Postgres. */
function visit(db: AnyDatabase) {
  const auth = authOn(db)
  const app = new Hono<AuthEnv>().route('/auth', authRoutes(auth))
  app.onError((_, c) => c.text('failed', 500))
  const jar = new Map<string, string>()
  const later: Promise<unknown>[] = []
  const context = {
    waitUntil: (promise: Promise<unknown>) => void later.push(promise),
    passThroughOnException() {},
    props: {},
  }
  return async (method: string, path: string, body?: unknown): Promise<number> => {
    const headers = new Headers({ Origin: ORIGIN, 'Sec-Fetch-Site': 'same-origin' })
    if (body !== undefined) headers.set('Content-Type', 'application/json')
    if (jar.size > 0) headers.set('Cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const response = await app.fetch(new Request(`${ORIGIN}/auth${path}`, init), {}, context as never)
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }
    await Promise.allSettled(later.splice(0))
    return response.status
  }
}

type Visit = ReturnType<typeof visit>

const password = 'a perfectly fine passphrase'

/** A flow of somebody who has signed in. Fails when signing in does, since then nothing would be looked at. */
const signedIn =
  (flow: (go: Visit) => Promise<unknown>): CriticalSource =>
  async (db, pick) => {
    const go = visit(db)
    // Some accounts of a filled database are disabled or not verified.
    for (let tries = 0; tries < 5; tries++) {
      const status = await go('POST', '/sign-in', { email: await pick(users.email), password })
      if (status < 300) return flow(go)
    }
    throw new Error('nobody of the filled database can sign in')
  }

/** What accounts and sessions ask of Postgres, flow by flow. */
export const authQueries: Readonly<Record<string, CriticalSource>> = {
  'auth.sign-up': (db) => visit(db)('POST', '/sign-up', { email: `${uuidv7()}@example.net`, password }),
  'auth.sign-up-again': async (db, pick) =>
    visit(db)('POST', '/sign-up', { email: await pick(users.email), password }),
  'auth.forgot-password': async (db, pick) =>
    visit(db)('POST', '/password/forgot', { email: await pick(users.email) }),
  'auth.session': signedIn((go) => go('GET', '/session')),
  'auth.sessions': signedIn((go) => go('GET', '/sessions')),
  'auth.end-session': signedIn((go) => go('DELETE', `/sessions/${uuidv7()}`)),
  'auth.sign-out': signedIn((go) => go('POST', '/sign-out')),
  'auth.sign-out-everywhere': signedIn((go) => go('POST', '/sign-out-everywhere')),
  'auth.change-password': signedIn((go) =>
    go('POST', '/password/change', { currentPassword: password, newPassword: `${password}!` }),
  ),
  'auth.disable-user': async (db, pick) => administration(authOn(db)).disableUser(await pick(users.id)),
  'auth.end-sessions': async (db, pick) => authOn(db).endSessions(await pick(users.id)),
  'auth.prune': (db) => administration(authOn(db)).prune({ limit: 100 }),
}

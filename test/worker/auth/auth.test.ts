import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import module from '@phi-ag/argon2/argon2.wasm'
import {
  type AuthDatabase,
  type AuthEnv,
  argon2id,
  authRoutes,
  createAuth,
  requireUser,
  scrypt,
  session,
} from 'breakwater/auth'
import { PgDialect } from 'drizzle-orm/pg-core'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'

const password = 'correct horse 电池 staple'

describe('hashing in workerd', () => {
  it('runs Argon2id from a module that was imported, at its default cost', async () => {
    const hasher = argon2id(module)
    const encoded = await hasher.hash(password)
    expect(encoded).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await hasher.verify(encoded, password)).toBe(true)
    expect(await hasher.verify(encoded, `${password}!`)).toBe(false)
  })

  it('needs no more memory for many hashes than for one', async () => {
    const hasher = argon2id(module)
    for (let i = 0; i < 10; i++) expect(await hasher.verify(hasher.decoy, `${password}${i}`)).toBe(false)
  })

  it('runs scrypt at its default cost', async () => {
    const hasher = scrypt()
    const encoded = await hasher.hash(password)
    expect(encoded).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/)
    expect(await hasher.verify(encoded, password)).toBe(true)
    expect(await hasher.verify(encoded, password.toUpperCase())).toBe(false)
  })

  it('reads what Node wrote', async () => {
    // crypto.argon2Sync('argon2id', { message, nonce, memory: 64, passes: 3, parallelism: 1, tagLength: 32 })
    const phc =
      '$argon2id$v=19$m=64,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gu/j2+4ReiC6V2EMO5zcvlOiVoZ+5xLc2OPEFdFjAi8'
    expect(await argon2id(module).verify(phc, password)).toBe(true)
  })
})

/** A database with one account and what statements leave in it, as far as this test goes. */
function oneAccount(passwordHash: string): AuthDatabase & { readonly seen: string[] } {
  const seen: string[] = []
  const id = '01900000-0000-7000-8000-000000000001'
  const now = Date.now()
  const db: AuthDatabase & { readonly seen: string[] } = {
    seen,
    async execute(query) {
      const { sql: text, params } = new PgDialect().sqlToQuery(query)
      seen.push(text)
      if (text.includes('select u.id, u.email, u.password_hash')) {
        return {
          rows: [
            { id, email: 'ann@example.com', password_hash: passwordHash, created_at: now, roles: 'admin' },
          ],
        }
      }
      if (text.includes('insert into breakwater.sessions')) {
        const position = /select \$(\d+)::uuid, id, \$\d+::text, session_generation/.exec(text)?.[1]
        return {
          rows: [
            {
              id: params[Number(position) - 1],
              user_id: id,
              created_at: now,
              authenticated_at: now,
              last_used_at: now,
              expires_at: now + 86_400_000,
              transport: 'cookie',
              methods: 'password',
              ended: null,
            },
          ],
        }
      }
      return { rows: [] }
    },
    transaction: (work) => work(db),
  }
  return db
}

it('signs in, writes what it left for later past the reply, and then knows the person by the cookie', async () => {
  const db = oneAccount(await scrypt({ logN: 4 }).hash(password))
  const auth = createAuth({
    db,
    secrets: ['s'.repeat(32)],
    app: { name: 'Acme', origin: 'https://app.example' },
    limiter: 'none',
    mailer: { send: async () => ({ id: '1' }) },
    hasher: argon2id(module, { memory: 64 }),
    cache: { staleness: '30 s' },
  })
  const app = new Hono<AuthEnv>()
    .use(session(auth))
    .get('/me', requireUser(), (c) => c.json(c.var.user))
    .route('/auth', authRoutes(auth))
  const ctx = createExecutionContext()
  const reply = await app.request(
    '/auth/sign-in',
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'cf-connecting-ip': '192.0.2.1' },
      body: JSON.stringify({ email: 'ann@example.com', password }),
    },
    {},
    ctx,
  )
  expect(reply.status).toBe(200)
  await waitOnExecutionContext(ctx)
  // The old hash was scrypt's, so a new one was written once the answer was out.
  expect(db.seen.some((text) => text.includes('update breakwater.users set password_hash'))).toBe(true)

  const cookie = reply.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
  const asked = db.seen.length
  const me = await app.request('/me', { headers: { cookie } }, {}, createExecutionContext())
  expect(await me.json()).toMatchObject({ email: 'ann@example.com' })
  expect(db.seen.length).toBe(asked)
})

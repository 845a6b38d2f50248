import { Hono } from 'hono'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createAuth } from '../../../src/auth/auth.ts'
import type { AuthDatabase } from '../../../src/auth/database.ts'
import { type AuthEnv, session } from '../../../src/auth/middleware.ts'
import { sealIdentity } from '../../../src/auth/session-cache.ts'
import type { Identity } from '../../../src/auth/session-store.ts'
import { formatToken } from '../../../src/auth/token.ts'

const secret = 's'.repeat(32)
const id = '01900000-0000-7000-8000-000000000001'
const token = formatToken({ id, secret: new Uint8Array(32).fill(7) })
const userId = '01900000-0000-7000-8000-000000000002'

function identity(): Identity {
  const now = new Date()
  return {
    user: { id: userId, email: 'ann@example.com', createdAt: now, roles: ['editor'] },
    session: {
      id,
      userId,
      createdAt: now,
      authenticatedAt: now,
      lastUsedAt: now,
      expiresAt: new Date(now.getTime() + 86_400_000),
      device: null,
      country: null,
      city: null,
      transport: 'cookie',
      methods: ['password'],
    },
  }
}

/** An app with a session that a signed cookie speaks for, and a database that knows nobody. */
async function app() {
  let asked = 0
  const marks = new Set<string>()
  const db: AuthDatabase = {
    async execute() {
      asked++
      return { rows: [] }
    },
    transaction: (work) => work(db),
  }
  const auth = createAuth({
    db,
    secrets: [secret],
    app: { name: 'Acme', origin: 'https://app.example' },
    limiter: 'none',
    mailer: { send: async () => ({ id: '1' }) },
    cache: {
      revocations: {
        marked: async (user) => marks.has(user),
        mark: async (user) => {
          marks.add(user)
        },
      },
    },
  })
  const seen: (Identity['user'] | undefined)[] = []
  const hono = new Hono<AuthEnv>().use(session(auth)).get('/', (c) => {
    seen.push(c.var.user)
    return c.text(c.var.user?.roles.join() ?? 'nobody')
  })
  const cache = await sealIdentity([secret], token, identity(), Date.now())
  const get = async (cookie = `__Host-session=${token}; __Host-session-cache=${cache}`) =>
    (await hono.request('/', { headers: { cookie } })).text()
  return { get, seen, marks, cache, asked: () => asked }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('computes a seal once, however often the same cookies come', async () => {
  const { get, asked } = await app()
  const verify = vi.spyOn(crypto.subtle, 'verify')
  for (let i = 0; i < 5; i++) expect(await get()).toBe('editor')
  expect(verify).toHaveBeenCalledTimes(1)
  expect(asked()).toBe(0)
})

it('gives every request an identity of its own, which it may change', async () => {
  const { get, seen } = await app()
  await get()
  await get()
  const [, known] = seen as [unknown, Identity['user']]
  ;(known.roles as string[]).push('admin')
  known.createdAt.setTime(0)
  expect(await get()).toBe('editor')
  expect(seen.at(-1)?.createdAt.getTime()).toBe(1_800_000_000_000)
})

it('believes known cookies no longer than others, and no longer than no mark speaks against them', async () => {
  const { get, marks, asked } = await app()
  expect(await get()).toBe('editor')
  marks.add(userId)
  expect(await get()).toBe('nobody')
  expect(asked()).toBe(1)
  marks.clear()
  vi.setSystemTime(1_800_000_059_000)
  expect(await get()).toBe('editor')
  vi.setSystemTime(1_800_000_061_000)
  expect(await get()).toBe('nobody')
  expect(asked()).toBe(2)
})

it('takes nothing that is nearly the known cookies for them', async () => {
  const { get, cache } = await app()
  expect(await get()).toBe('editor')
  const flipped = cache.endsWith('A') ? 'B' : 'A'
  expect(await get(`__Host-session=${token}; __Host-session-cache=${cache.slice(0, -1)}${flipped}`)).toBe(
    'nobody',
  )
  const other = formatToken({ id, secret: new Uint8Array(32).fill(8) })
  expect(await get(`__Host-session=${other}; __Host-session-cache=${cache}`)).toBe('nobody')
  expect(await get(`__Host-session-cache=${cache}`)).toBe('nobody')
})

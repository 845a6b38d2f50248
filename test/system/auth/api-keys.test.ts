import { createAuth, scrypt, session } from 'breakwater/auth'
import { administration } from 'breakwater/auth/administration'
import { type ApiKeysOptions, apiKeyRoutes, createApiKeys, requireScope } from 'breakwater/auth/api-keys'
import { isBreakwaterError } from 'breakwater/core'
import { limit, memory, rateLimit } from 'breakwater/rate-limit'
import { Hono } from 'hono'
import { hc } from 'hono/client'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { newKey } from '../../../src/auth/api-keys/key.ts'
import { scratchDatabase } from '../support/postgres.ts'
import { createApplication, SECRET } from './support.ts'

const SCOPES = ['reports:read', 'reports:write'] as const

const scratch = await scratchDatabase()

async function start(options: Partial<ApiKeysOptions<(typeof SCOPES)[number]>> = {}) {
  await scratch.pool.query('delete from breakwater.users')
  const statements: number[] = []
  const counted = {
    execute(query: Parameters<typeof scratch.db.execute>[0]) {
      statements.push(Date.now())
      return scratch.db.execute(query)
    },
    transaction: scratch.db.transaction.bind(scratch.db),
  } as typeof scratch.db
  const application = await createApplication(scratch)
  const auth = createAuth({
    db: counted,
    secrets: [SECRET],
    app: { name: 'Acme', origin: 'https://app.example' },
    limiter: 'none',
    mailer: { send: async () => ({ id: '1' }) },
    enqueue: application.enqueue,
    hasher: scrypt({ logN: 4 }),
  })
  const keys = createApiKeys(auth, { scopes: SCOPES, ...options })
  const background: Promise<unknown>[] = []
  const routes = new Hono()
    .use(session(auth))
    .route('/api-keys', apiKeyRoutes(keys))
    .get('/reports', requireScope(keys, 'reports:read'), (c) => {
      expectTypeOf(c.var.user.id).toEqualTypeOf<string>()
      return c.json({ who: c.var.user.email, key: c.var.apiKey?.name ?? null, signedIn: !!c.var.session })
    })
    .post('/reports', requireScope(keys, ['reports:read', 'reports:write']), (c) => c.json({ done: true }))
    .get('/machines', requireScope(keys, 'reports:read', { sessions: false }), (c) => c.json({ done: true }))
  routes.onError((error, c) => {
    if (!isBreakwaterError(error)) throw error
    return c.json({ code: error.code, fields: error.fields, ...error.extensions }, error.status, {
      ...error.headers,
    })
  })
  const context = {
    waitUntil: (promise: Promise<unknown>) => void background.push(promise),
    passThroughOnException() {},
    props: {},
  }
  const fetch = async (method: string, path: string, headers: Record<string, string> = {}, body?: unknown) =>
    routes.fetch(
      new Request(`https://app.example${path}`, {
        method,
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
      {},
      context as never,
    )
  await application.register('ada@example.com')
  const ada = await application.signedIn('ada@example.com')
  const cookie = `__Host-session=${ada.jar.get('__Host-session')}`
  const make = async (scopes: readonly string[] = ['reports:read'], more: object = {}) => {
    const reply = await fetch('POST', '/api-keys', { cookie }, { name: 'Nightly export', scopes, ...more })
    return { status: reply.status, ...((await reply.json()) as { key: string; apiKey: { id: string } }) }
  }
  const settle = async () => {
    while (background.length > 0) await Promise.all(background.splice(0))
  }
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
  return { ...application, auth, keys, routes, fetch, ada, cookie, make, settle, bearer, statements }
}

describe('an API key', () => {
  it('is shown once, acts for its owner within its scopes, and stops when it is revoked', async () => {
    const { fetch, make, cookie, bearer, settle, runJobs } = await start()
    const made = await make()
    expect(made.status).toBe(201)
    expect(made.key).toMatch(/^bwk_[0-9A-Za-z]{49}$/)

    const reply = await fetch('GET', '/reports', bearer(made.key))
    expect(await reply.json()).toEqual({ who: 'ada@example.com', key: 'Nightly export', signedIn: false })
    const refused = await fetch('POST', '/reports', bearer(made.key))
    expect(refused.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="reports:read reports:write"',
    )

    const { apiKeys } = (await (await fetch('GET', '/api-keys', { cookie })).json()) as { apiKeys: object[] }
    expect(apiKeys).toEqual([
      expect.objectContaining({ id: made.apiKey.id, start: made.key.slice(0, 8), scopes: ['reports:read'] }),
    ])
    expect(JSON.stringify(apiKeys)).not.toContain(made.key.slice(8))
    const { rows } = await scratch.pool.query('select k::text as row from breakwater.api_keys k')
    expect(rows[0].row).not.toContain(made.key.slice(8))

    expect((await fetch('DELETE', `/api-keys/${made.apiKey.id}`, { cookie })).status).toBe(204)
    expect((await fetch('DELETE', `/api-keys/${made.apiKey.id}`, { cookie })).status).toBe(404)
    const dead = await fetch('GET', '/reports', bearer(made.key))
    expect([dead.status, dead.headers.get('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"'])

    await settle()
    expect((await runJobs()).map(({ tag }) => tag)).toContain('api-key-created')
    const events = await scratch.pool.query(
      "select type, user_id is not null as owned, session_id is not null as from_session from breakwater.auth_events where type like 'api-key-%' and user_id in (select id from breakwater.users) order by id",
    )
    expect(events.rows).toEqual([
      { type: 'api-key-created', owned: true, from_session: true },
      { type: 'api-key-revoked', owned: true, from_session: true },
    ])
  })

  it('is nobody where no scope is asked for: neither its own management nor the session routes open to it', async () => {
    const { fetch, make, bearer } = await start()
    const { key, apiKey } = await make()
    expect((await fetch('GET', '/api-keys', bearer(key))).status).toBe(401)
    expect((await fetch('POST', '/api-keys', bearer(key), { name: 'x', scopes: SCOPES })).status).toBe(401)
    expect((await fetch('DELETE', `/api-keys/${apiKey.id}`, bearer(key))).status).toBe(401)
  })

  it('stands for a session where a session will do, and takes precedence over one', async () => {
    const { fetch, make, cookie, bearer } = await start()
    const { key } = await make()
    expect((await fetch('POST', '/reports', { cookie })).status).toBe(200)
    expect((await fetch('POST', '/reports', { cookie, ...bearer(key) })).status).toBe(403)
    expect((await fetch('GET', '/machines', { cookie })).status).toBe(403)
    expect((await fetch('GET', '/machines', bearer(key))).status).toBe(200)
    expect((await fetch('GET', '/machines')).status).toBe(401)
  })

  it('costs one statement, and none at all when it is mistyped', async () => {
    const { fetch, make, bearer, statements, settle } = await start()
    const { key } = await make()
    await fetch('GET', '/reports', bearer(key))
    await settle()
    statements.length = 0
    expect((await fetch('GET', '/reports', bearer(key))).status).toBe(200)
    expect(statements).toHaveLength(1)
    statements.length = 0
    const wrong = `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`
    for (const text of [wrong, 'bwk_', 'bwk_x', `${key}x`]) {
      expect((await fetch('GET', '/reports', bearer(text))).status).toBe(401)
    }
    expect(statements).toHaveLength(0)
    expect((await fetch('GET', '/reports', bearer(newKey('bwk_')))).status).toBe(401)
    expect(statements).toHaveLength(1)
  })

  it('writes its use down at most once an hour', async () => {
    const { fetch, make, bearer, statements, settle } = await start()
    const { key } = await make()
    const use = async () => {
      await Promise.all([1, 2, 3].map(() => fetch('GET', '/reports', bearer(key))))
      await settle()
      const { rows } = await scratch.pool.query('select last_used_at from breakwater.api_keys')
      return rows[0].last_used_at as Date
    }
    const first = await use()
    expect(first).toBeInstanceOf(Date)
    statements.length = 0
    expect(await use()).toEqual(first)
    expect(statements).toHaveLength(3)
    await scratch.pool.query("update breakwater.api_keys set last_used_at = now() - interval '61 minutes'")
    expect((await use()).getTime()).toBeGreaterThanOrEqual(first.getTime())
  })

  it('ends with its time, and with the account', async () => {
    const { fetch, make, bearer, auth, ada } = await start()
    const { key } = await make(['reports:read'], { expiresAt: new Date(Date.now() + 60_000).toISOString() })
    const status = async () => (await fetch('GET', '/reports', bearer(key))).status
    expect(await status()).toBe(200)
    await scratch.pool.query("update breakwater.api_keys set expires_at = now() - interval '1 second'")
    expect(await status()).toBe(401)
    await scratch.pool.query("update breakwater.api_keys set expires_at = now() + interval '1 hour'")
    const { user } = (await ada.get('/auth/session')).json as { user: { id: string } }
    await administration(auth).disableUser(user.id)
    expect(await status()).toBe(401)
    await administration(auth).enableUser(user.id)
    expect(await status()).toBe(200)
    await scratch.pool.query('delete from breakwater.users')
    expect(await status()).toBe(401)
  })

  it('is refused a name, scopes and an end that it may not have', async () => {
    const { fetch, cookie, keys } = await start({ lifetime: '30 d' })
    const fields = async (body: object) => {
      const reply = await fetch('POST', '/api-keys', { cookie }, body)
      const { fields = [] } = (await reply.json()) as { fields?: { pointer: string }[] }
      return [reply.status, ...fields.map(({ pointer }) => pointer)]
    }
    const good = { name: 'x', scopes: ['reports:read'] }
    expect(await fields({ ...good, name: ' ' })).toEqual([422, '/name'])
    expect(await fields({ ...good, name: 'a\nb' })).toEqual([422, '/name'])
    expect(await fields({ ...good, scopes: [] })).toEqual([422, '/scopes'])
    expect(await fields({ ...good, scopes: ['admin'] })).toEqual([422, '/scopes'])
    expect(await fields({ ...good, scopes: 'reports:read' })).toEqual([422, '/scopes'])
    expect(await fields({ ...good, expiresAt: '2020-01-01T00:00:00Z' })).toEqual([422, '/expiresAt'])
    expect(await fields({ ...good, expiresAt: 'tomorrow' })).toEqual([422, '/expiresAt'])
    const late = new Date(Date.now() + 31 * 86_400_000).toISOString()
    expect(await fields({ ...good, expiresAt: late })).toEqual([422, '/expiresAt'])
    expect(await fields(good)).toEqual([201])
    await expect(keys.create({ userId: 'x', name: '', scopes: ['reports:read'] })).rejects.toThrow(TypeError)
  })

  it('has as many beside it as the application allows, of which the revoked ones do not count', async () => {
    const { make, keys, ada } = await start({ perUser: 2 })
    await make()
    await make()
    expect((await make()).status).toBe(409)
    const { user } = (await ada.get('/auth/session')).json as { user: { id: string } }
    expect(await keys.revoke(user.id)).toBe(2)
    expect((await make()).status).toBe(201)
    expect(await keys.list(user.id)).toHaveLength(3)
  })

  it('is pruned long after its end', async () => {
    const { make, auth } = await start()
    for (let i = 0; i < 3; i++) await make()
    await scratch.pool.query(`
      with list as (select id, row_number() over (order by id) as n from breakwater.api_keys)
      update breakwater.api_keys k set
        revoked_at = case n when 1 then now() - interval '91 days' end,
        expires_at = case n when 2 then now() - interval '91 days' else now() + interval '1 year' end
      from list where list.id = k.id`)
    await administration(auth).prune()
    expect((await scratch.pool.query('select from breakwater.api_keys')).rowCount).toBe(1)
  })

  it('is believed for as long as the developer said, in an isolate that asked before', async () => {
    const { fetch, make, bearer, statements, settle } = await start({ staleness: 300 })
    const { key } = await make()
    await fetch('GET', '/reports', bearer(key))
    await settle()
    statements.length = 0
    await scratch.pool.query('update breakwater.api_keys set revoked_at = now()')
    const replies = []
    const until = Date.now() + 5000
    while (Date.now() < until) {
      const { status } = await fetch('GET', '/reports', bearer(key))
      replies.push(status)
      if (status === 401) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(replies.at(-1)).toBe(401)
    expect(statements.length).toBeLessThanOrEqual(2)
  })

  it('revoked by the isolate that remembers it is forgotten there at once', async () => {
    const { fetch, make, bearer, cookie, settle } = await start({ staleness: '60 s' })
    const { key, apiKey } = await make()
    expect((await fetch('GET', '/reports', bearer(key))).status).toBe(200)
    await fetch('DELETE', `/api-keys/${apiKey.id}`, { cookie })
    expect((await fetch('GET', '/reports', bearer(key))).status).toBe(401)
    await settle()
  })

  it('has a quota of its own where that is asked for', async () => {
    const { make, bearer, keys, settle } = await start()
    const limits = rateLimit({ limiter: { store: memory(), policies: { api: { quota: 2, window: '1 h' } } } })
    const app = new Hono()
      .use(limits)
      .get(
        '/',
        requireScope(keys, 'reports:read'),
        limit('api', { key: (c) => c.get('apiKey' as never)?.['id'] }),
        (c) => c.text('ok'),
      )
    const [first, second] = [await make(), await make()]
    const ask = async (key: string) =>
      (await app.request('/', { headers: { ...bearer(key), 'cf-connecting-ip': '192.0.2.7' } })).status
    expect([await ask(first.key), await ask(first.key), await ask(first.key)]).toEqual([200, 200, 429])
    expect(await ask(second.key)).toBe(200)
    await settle()
  })

  it('makes a hundred at once as one by one', async () => {
    const { make } = await start({ perUser: 500 })
    const made = await Promise.all(Array.from({ length: 100 }, () => make()))
    expect(made.every(({ status }) => status === 201)).toBe(true)
    expect(new Set(made.map(({ key }) => key)).size).toBe(100)
  })
})

describe('createApiKeys and requireScope', () => {
  it('refuse wrong options when they are built', async () => {
    const { auth, keys } = await start()
    const build = (options: object) => () => createApiKeys(auth, { scopes: ['a'], ...options })
    expect(build({ scopes: [] })).toThrow(TypeError)
    expect(build({ scopes: ['a b'] })).toThrow(TypeError)
    expect(build({ scopes: ['a"b'] })).toThrow(TypeError)
    expect(build({ prefix: 'Acme_' })).toThrow(TypeError)
    expect(build({ prefix: 'acme' })).toThrow(TypeError)
    expect(build({ prefix: 'bwat_' })).toThrow(TypeError)
    expect(build({ staleness: '2 m' })).toThrow(TypeError)
    expect(build({ perUser: 0 })).toThrow(TypeError)
    // @ts-expect-error: there is no such scope
    expect(() => requireScope(keys, 'reports:burn')).toThrow(TypeError)
    expect(() => requireScope(keys, [])).toThrow(TypeError)
  })

  it('give hc the types of the endpoints', async () => {
    const { keys } = await start()
    const app = new Hono().route('/api-keys', apiKeyRoutes(keys))
    const client = hc<typeof app>('https://app.example')
    type Made = Awaited<ReturnType<Awaited<ReturnType<(typeof client)['api-keys']['$post']>>['json']>>
    expectTypeOf<Made['key']>().toEqualTypeOf<string>()
    expectTypeOf<Made['apiKey']['scopes']>().toEqualTypeOf<('reports:read' | 'reports:write')[]>()
  })
})

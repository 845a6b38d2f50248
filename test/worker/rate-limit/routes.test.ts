import { env } from 'cloudflare:workers'
import { memory, rateLimit } from 'breakwater/rate-limit'
import { listLimits, requireLimits } from 'breakwater/testing/rate-limit'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../../worker/app.ts'
import { createServices } from '../../../worker/services.ts'

const policies = { search: { quota: 5, window: '1 m' } } as const

function app() {
  const limits = rateLimit({ limiter: { store: memory(), policies } })
  const users = new Hono()
    .get('/:id{\\d+}', (c) => c.text(''))
    .delete('/:id', limits.limit('sensitive'), (c) => c.text(''))
  users.onError((_, c) => c.text(''))
  return new Hono()
    .get('/livez', (c) => c.text(''))
    .use(limits)
    .get('/search/:words?', limits.limit('search'), (c) => c.text(''))
    .use('/admin/*', limits.limit('export'))
    .all('/admin/report', (c) => c.text(''))
    .route('/users', users)
    .get('/files/*', (c) => c.text(''))
}

describe('the list of an app’s routes', () => {
  it('names every route with the policies on its way', () => {
    expect(listLimits(app())).toEqual([
      { method: 'GET', path: '/livez', policies: [] },
      { method: 'GET', path: '/search/:words?', policies: ['default', 'search'] },
      { method: 'ALL', path: '/admin/report', policies: ['default', 'export'] },
      { method: 'GET', path: '/users/:id{\\d+}', policies: ['default'] },
      { method: 'DELETE', path: '/users/:id', policies: ['default', 'sensitive'] },
      { method: 'GET', path: '/files/*', policies: ['default'] },
    ])
  })

  it('fails on a route without a limit, and on an exception that is none', () => {
    expect(() => requireLimits(app())).toThrow('GET /livez has no rate limit')
    expect(requireLimits(app(), { except: ['/livez'] }).length).toBe(6)
    expect(() => requireLimits(app(), { except: ['/livez', '/search/:words?'] })).toThrow(
      'no route without a limit',
    )
  })

  it('asks for an example where it can think of none', () => {
    const odd = new Hono().get('/:code{zz[0-9]{7}}', (c) => c.text(''))
    expect(() => listLimits(odd)).toThrow('examples')
    const examples = { '/:code{zz[0-9]{7}}': '/zz0000001' }
    expect(listLimits(odd, { examples })).toMatchObject([{ policies: [] }])
  })
})

describe('the reference app', () => {
  it('has a rate limit on every route but its probes', () => {
    const bindings = env as unknown as { BUCKET: R2Bucket; QUEUE: Queue }
    const services = createServices(
      {
        ENVIRONMENT: 'production',
        APP_ORIGIN: 'https://app.example.com',
        DATABASE_URL: 'postgres://user:password@db.example.com/app',
        UPSTASH_REDIS_REST_URL: 'https://redis.example.com',
        UPSTASH_REDIS_REST_TOKEN: 'token',
        SESSION_SECRET: ['a secret of at least thirty-two characters'],
        RESEND_API_KEY: 're_key',
        MAIL_FROM: 'Acme <hello@example.com>',
        OPS_TOKEN: 'a token of at least thirty-two characters',
        BACKUP_KEY: [btoa('k'.repeat(32))],
        UPLOADS: bindings.BUCKET,
        BACKUPS: bindings.BUCKET,
        JOBS: bindings.QUEUE,
        CF_VERSION_METADATA: { id: 'v', tag: '', timestamp: '' },
      } as unknown as Parameters<typeof createServices>[0],
      { captureException: () => {}, captureMessage: () => {} } as never,
    )
    const routes = requireLimits(createApp(services), { except: ['/livez', '/readyz'] })
    expect(routes.length).toBeGreaterThan(15)
    expect(routes).toContainEqual({ method: 'GET', path: '/me', policies: ['default'] })
  })
})

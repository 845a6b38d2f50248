import { env } from 'cloudflare:workers'
import { health, queueCheck, r2Check } from 'breakwater/health'
import { Hono } from 'hono'
import { expect, it } from 'vitest'

interface Bindings {
  BUCKET: R2Bucket
  QUEUE: Queue
}

it('sees real bindings through the context', async () => {
  const app = new Hono<{ Bindings: Bindings }>().route(
    '/',
    health({
      checks: { uploads: r2Check((c) => c.env.BUCKET), jobs: queueCheck((c) => c.env.QUEUE) },
      token: 'operations',
    }),
  )
  const reply = await app.request('/readyz', { headers: { Authorization: 'Bearer operations' } }, env)
  expect(reply.status).toBe(200)
  expect(await reply.json()).toMatchObject({
    status: 'pass',
    checks: { 'uploads:responseTime': [{ status: 'pass' }], 'jobs:responseTime': [{ status: 'pass' }] },
  })
})

it('fails when a binding is not there', async () => {
  const app = health({ checks: { uploads: r2Check((c) => c.env.NOT_BOUND) } })
  expect((await app.request('/readyz', {}, env)).status).toBe(503)
})

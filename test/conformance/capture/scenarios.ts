import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'

/** What each subject is run with. */
export interface ScenarioEnv {
  readonly SENTRY_DSN: string
  /** A server that answers as Neon, as Upstash, and as any API, and remembers what it was sent. */
  readonly OUTSIDE: string
  readonly PEER?: string
  readonly BUCKET: R2Bucket
}

/** The clients that an app of this kind uses, as its author would take them. */
export interface Clients {
  readonly fetch: typeof fetch
  query(env: ScenarioEnv): Promise<unknown>
  redis(env: ScenarioEnv): Promise<unknown>
  bucket(env: ScenarioEnv): R2Bucket
}

/** One app for all: what differs is what watches it. */
export function scenarios(clients: Clients, app: Hono<{ Bindings: ScenarioEnv }> = new Hono()) {
  app.use(async function houseRules(_c, next) {
    await next()
  })
  app.get('/users/:id/thrown', () => {
    throw new Error('the handler failed')
  })
  app.get('/non-error', () => {
    throw 'no error at all'
  })
  app.get('/http-502', () => {
    throw new HTTPException(502, { message: 'upstream' })
  })
  app.get('/http-404', () => {
    throw new HTTPException(404, { message: 'nothing here' })
  })
  app.get('/returned/:id', (c) => c.json({ error: 'no' }, 500))
  app.get('/wait-until', (c) => {
    c.executionCtx.waitUntil(Promise.resolve().then(() => Promise.reject(new Error('behind the reply'))))
    return c.text('ok')
  })
  app.get('/work/:id', async (c) => {
    await clients.query(c.env)
    await clients.redis(c.env)
    await clients.bucket(c.env).head('nothing')
    await clients.fetch(`${c.env.OUTSIDE}/api/people`)
    return c.text('ok')
  })
  app.post('/secrets/:token', async (c) => {
    const body = await c.req.json<{ password: string }>()
    throw new Error(`sign-in of ann@example.com failed, card 4242 4242 4242 4242, password=${body.password}`)
  })
  app.get('/fine', (c) => c.text('ok'))
  return app
}

/** Work that is no request; both fail. */
export const otherWork = {
  async queue(): Promise<void> {
    throw new Error('the batch failed')
  },
  async scheduled(): Promise<void> {
    throw new Error('the tick failed')
  },
}

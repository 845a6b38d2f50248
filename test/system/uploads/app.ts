/** A worker with uploads and nothing else, for tests over HTTP. Whoever asks says who they are. */
import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { createDatabase } from '../../../src/db/index.ts'
import { createUploads, type UploadsOptions } from '../../../src/uploads/index.ts'

interface Bindings {
  BUCKET: R2Bucket
  DATABASE_URL: string
  NEON_ENDPOINT: string
}
interface Env {
  Bindings: Bindings
}

const MB = 1_000_000

function build(env: Bindings, queued: boolean) {
  const db = createDatabase({ url: env.DATABASE_URL, endpoint: env.NEON_ENDPOINT })
  const options: UploadsOptions<Env> = {
    db,
    bucket: env.BUCKET,
    owner: (c) => c.req.header('x-user'),
    kinds: {
      avatar: { types: ['image/png'], maxBytes: 100_000, visibility: 'public', maxPixels: 1_000_000 },
      document: {
        types: ['image/png', 'application/pdf', 'text/plain', 'text/html', 'image/svg+xml'],
        maxBytes: 20 * MB,
      },
    },
    quota: (c) => ({ bytes: Number(c.req.header('x-quota') ?? 40 * MB), files: 100 }),
    stallTimeout: 700,
    staleAfter: '1 h',
  }
  if (!queued) {
    return createUploads<Env>({
      ...options,
      async scan(subject) {
        const text = await new Response(await subject.open()).text()
        if (text.includes('scanner down')) throw new Error('the scanner is down')
        return text.includes('EICAR') ? { ok: false, reason: 'malware' } : { ok: true }
      },
    })
  }
  return createUploads<Env>({
    ...options,
    async enqueue(type, input, { key = '', tx } = {}) {
      const transaction = tx as typeof db
      await transaction.execute(
        sql`insert into test_jobs (type, input, key) values (${type}, ${JSON.stringify(input)}::jsonb, ${key})`,
      )
      return 'job'
    },
  })
}

let built: { queued: ReturnType<typeof build>; direct: ReturnType<typeof build> } | undefined

function uploads(env: Bindings) {
  built ??= { queued: build(env, true), direct: build(env, false) }
  return built
}

export default {
  fetch(request: Request, env: Bindings, context: ExecutionContext) {
    const { queued, direct } = uploads(env)
    const app = new Hono<Env>()
      .route('/uploads', queued.routes)
      .route('/direct', direct.routes)
      .post('/process/:id', async (c) => c.json({ state: await queued.process(c.req.param('id')) }))
      .post('/process-direct/:id', async (c) => c.json({ state: await direct.process(c.req.param('id')) }))
      .post('/sweep', async (c) => c.json(await direct.sweep()))
      .get('/keys', async (c) => c.json((await c.env.BUCKET.list()).objects.map(({ key }) => key)))
      .delete('/keys/*', async (c) => {
        await c.env.BUCKET.delete(c.req.path.slice('/keys/'.length))
        return c.body(null, 204)
      })
      .put('/keys/*', async (c) => {
        await c.env.BUCKET.put(c.req.path.slice('/keys/'.length), await c.req.arrayBuffer())
        return c.body(null, 204)
      })
    return app.fetch(request, env, context)
  },
}

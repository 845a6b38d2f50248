/** A worker with uploads and nothing else, for tests over HTTP. Whoever asks says who they are. */
import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { problems } from '../../../src/core/index.ts'
import { createDatabase } from '../../../src/db/index.ts'
import { createUploads, type UploadsOptions } from '../../../src/uploads/index.ts'
import { faulty } from './faulty.ts'

interface Bindings {
  IMAGES: ImagesBinding
  BUCKET: R2Bucket
  DATABASE_URL: string
  NEON_ENDPOINT: string
}
interface Env {
  Bindings: Bindings
}

const MB = 1_000_000

function build(env: Bindings, origin: string, queued: boolean, batched = false) {
  const db = createDatabase({ url: env.DATABASE_URL, endpoint: env.NEON_ENDPOINT })
  const options: UploadsOptions<Env> = {
    db,
    // A request may ask for a bucket that fails.
    bucket: (c) => faulty(c.env.BUCKET, c.req.header('x-bucket')),
    owner: (c) => c.req.header('x-user'),
    kinds: {
      avatar: {
        types: ['image/png'],
        maxBytes: 100_000,
        visibility: 'public',
        maxPixels: 1_000_000,
        variants: { thumb: { width: 32 } },
      },
      photo: {
        types: ['image/png', 'image/jpeg', 'image/webp'],
        maxBytes: 5 * MB,
        stripMetadata: true,
        variants: {
          square: { width: 64, height: 64, fit: 'cover', format: 'image/jpeg', quality: 80 },
          wide: { width: 1000 },
        },
      },
      archive: {
        types: ['application/zip', 'application/gzip'],
        maxBytes: 5 * MB,
        archive: { maxUnpackedBytes: 10 * MB, maxFiles: 5 },
      },
      document: {
        types: ['image/png', 'application/pdf', 'text/plain', 'text/html', 'image/svg+xml'],
        maxBytes: 20 * MB,
      },
    },
    quota: (c) => ({ bytes: Number(c.req.header('x-quota') ?? 40 * MB), files: 100 }),
    secrets: ['a secret of thirty-two characters'],
    stallTimeout: 1200,
    resumableFor: '1 d',
    direct: {
      endpoint: `${origin}/cdn-cgi/local/r2/s3`,
      bucket: 'uploads',
      accessKeyId: 'test-key',
      secretAccessKey: 'test-secret',
    },
    staleAfter: '1 h',
    images: (c) => (c.req.header('x-images') === 'none' ? undefined : c.env.IMAGES),
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
  const insert = (type: string, input: unknown, key: string) =>
    sql`insert into test_jobs (type, input, key) values (${type}, ${JSON.stringify(input)}::jsonb, ${key})`
  return createUploads<Env>({
    ...options,
    enqueue: batched
      ? Object.assign(notByTransaction, {
          prepare: async (type: string, input: unknown, { key = '' } = {}) => ({
            id: 'job',
            statement: db.execute(insert(type, input, key)),
            send: async () => {},
          }),
        })
      : async function enqueue(type, input, { key = '', tx } = {}) {
          const transaction = tx as typeof db
          await transaction.execute(insert(type, input, key))
          return 'job'
        },
  })
}

async function notByTransaction(): Promise<never> {
  throw new Error('a batch was possible')
}

type Built = ReturnType<typeof build>
let built: { queued: Built; direct: Built; batched: Built } | undefined

function uploads(env: Bindings, origin: string) {
  built ??= {
    queued: build(env, origin, true),
    direct: build(env, origin, false),
    batched: build(env, origin, true, true),
  }
  return built
}

export default {
  fetch(request: Request, env: Bindings, context: ExecutionContext) {
    const { queued, direct, batched } = uploads(env, new URL(request.url).origin)
    const task = { bucket: env.BUCKET }
    const app = new Hono<Env>()
      .route('/uploads', queued.routes)
      .route('/direct', direct.routes)
      .route('/batched', batched.routes)
      .post('/process/:id', async (c) => c.json({ state: await queued.process(c.req.param('id'), task) }))
      .post('/process-direct/:id', async (c) =>
        c.json({ state: await direct.process(c.req.param('id'), task) }),
      )
      .post('/sweep', async (c) => c.json(await direct.sweep(task)))
      .post('/reconcile', async (c) => c.json(await direct.reconcile({ ...task, ...(await c.req.json()) })))
      .get('/stats', async (c) => c.json(await direct.stats()))
      .get('/keys', async (c) => c.json((await c.env.BUCKET.list()).objects.map(({ key }) => key)))
      .post('/fill/:prefix/:kind/:count', async (c) => {
        const { prefix, kind, count } = c.req.param()
        for (let i = 0; i < Number(count); i += 50) {
          const keys = Array.from({ length: Math.min(50, Number(count) - i) }, (_, at) => String(i + at))
          await Promise.all(
            keys.map((at) => c.env.BUCKET.put(`${prefix}/${kind}/${at.padStart(4, '0')}`, 'x')),
          )
        }
        return c.body(null, 204)
      })
      .delete('/keys/*', async (c) => {
        await c.env.BUCKET.delete(c.req.path.slice('/keys/'.length))
        return c.body(null, 204)
      })
      .put('/keys/*', async (c) => {
        await c.env.BUCKET.put(c.req.path.slice('/keys/'.length), await c.req.arrayBuffer())
        return c.body(null, 204)
      })
    return problems(app).fetch(request, env, context)
  },
}

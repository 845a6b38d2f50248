/** A worker that takes bytes by each way and does nothing else. */
import { createDatabase } from '../../src/db/index.ts'
import { createUploads, type Uploads } from '../../src/uploads/index.ts'

interface Bindings {
  readonly BUCKET: R2Bucket
  readonly DATABASE_URL: string
  readonly NEON_ENDPOINT: string
}

const GB = 1_073_741_824
let uploads: Uploads<{ Bindings: Bindings }> | undefined

function build(env: Bindings): Uploads<{ Bindings: Bindings }> {
  const db = createDatabase({ url: env.DATABASE_URL, endpoint: env.NEON_ENDPOINT })
  const nothing = async (): Promise<string> => 'job'
  return createUploads({
    db,
    bucket: env.BUCKET,
    owner: () => '01a205b3-7711-7e7e-92f0-cbadbf2f934c',
    kinds: { film: { types: ['image/png'], maxBytes: 4 * GB } },
    quota: { bytes: 64 * GB },
    // What a job does afterwards is not part of taking bytes in.
    enqueue: nothing,
  })
}

export default {
  async fetch(request: Request, env: Bindings, context: ExecutionContext): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/idle') return new Response(null, { status: 204 })
    if (pathname === '/raw') {
      await env.BUCKET.put('raw', request.body)
      return new Response(null, { status: 201 })
    }
    if (pathname === '/empty') {
      const { objects } = await env.BUCKET.list()
      await env.BUCKET.delete(objects.map(({ key }) => key))
      return new Response(null, { status: 204 })
    }
    uploads ??= build(env)
    return uploads.routes.fetch(request, env, context)
  },
}

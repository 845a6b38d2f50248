import { join } from 'node:path'
import type { Subject } from '../support/rounds.ts'
import type { WorkerSpec } from '../support/workerd.ts'
import { sessionCookie } from './workers/person.ts'

const workers = join(import.meta.dirname, 'workers')

/** Who calls: on Cloudflare this field is always there. */
const CALLER = {
  'cf-connecting-ip': '192.0.2.7',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0',
}

/** The three whole stacks. */
export const stacks: readonly WorkerSpec[] = [
  { name: 'bare', entry: join(workers, 'bare.ts') },
  { name: 'chain', entry: join(workers, 'chain.ts') },
  {
    name: 'peers',
    entry: join(workers, 'peers.ts'),
    bindings: { SENTRY_DSN: 'http://key@127.0.0.1:9/1', SECRET: 'bench' },
  },
]

/** What is measured alone, over bare Hono. */
export const PARTS = [
  'requestContext',
  'log',
  'secure',
  'secure + request id + log',
  'rateLimit',
  'session',
  'capture',
] as const

/** One worker for each part, and one with none. */
export const alone: readonly WorkerSpec[] = ['bare', ...PARTS].map((part) => ({
  name: `alone-${part.replaceAll(/\W+/g, '-')}`,
  entry: join(workers, 'alone.ts'),
  bindings: { PART: part },
}))

const cookiesOf = (reply: Response): string =>
  reply.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ')

const replyTo = async (request: Promise<Response>): Promise<Response> => {
  const reply = await request
  if (!reply.ok) throw new Error(`${reply.url} answered ${reply.status}: ${await reply.text()}`)
  await reply.arrayBuffer()
  return reply
}

/** Asks the database's stand-in once, as a cold request does, and goes on with the signed cookie that comes back. */
export async function warmCookie(base: string): Promise<string> {
  const reply = await replyTo(fetch(`${base}/me`, { headers: { ...CALLER, cookie: sessionCookie } }))
  const cache = cookiesOf(reply)
  if (cache === '') throw new Error('No signed cookie came with a cold request')
  return `${sessionCookie}; ${cache}`
}

let accounts = 0

/** Signs up with the peers, and goes on with the cookies that come back, their signed cache among them. */
export async function peersCookie(base: string): Promise<string> {
  const reply = await replyTo(
    fetch(`${base}/api/auth/sign-up/email`, {
      method: 'POST',
      headers: { ...CALLER, 'content-type': 'application/json', origin: 'http://localhost' },
      body: JSON.stringify({
        email: `a${++accounts}@example.com`,
        password: 'a lamp in every window 7',
        name: 'Ada',
      }),
    }),
  )
  return cookiesOf(reply)
}

/** A worker on a port, asked for `/me` by somebody who is signed in. */
export function subject(
  name: string,
  port: number | undefined,
  cookie?: (base: string) => Promise<string>,
): Subject {
  const base = `http://127.0.0.1:${port}`
  return {
    name,
    url: `${base}/me`,
    headers: async () => ({ ...CALLER, ...(cookie && { cookie: await cookie(base) }) }),
  }
}

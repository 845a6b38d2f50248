import {
  type AuthEnv,
  type AuthMail,
  type AuthOptions,
  authRoutes,
  createAuth,
  type Executor,
  requireFresh,
  requireUser,
  scrypt,
  session,
} from 'breakwater/auth'
import { type Enqueue, isBreakwaterError, type MailMessage, uuidv7 } from 'breakwater/core'
import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import type { ScratchDatabase } from '../support/postgres.ts'

export const PASSWORD = 'a perfectly fine passphrase'
export const OTHER_PASSWORD = 'another fine passphrase'
export const SECRET = 'a secret of the tests, long enough'

type Json = Record<string, unknown>

/** A reply, read. */
export interface Reply {
  readonly status: number
  readonly json: Json
  readonly headers: Headers
  readonly cookies: readonly string[]
}

/** A browser's part of the conversation: it keeps cookies as told. */
export interface Client {
  readonly jar: Map<string, string>
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
  get(path: string, headers?: Record<string, string>): Promise<Reply>
}

/**
 * An application on a real database. Jobs go into a table of their own, by the handle of the caller's
 * transaction, as a real queue's do.
 */
export async function createApplication(
  scratch: ScratchDatabase,
  { queue = true, ...overrides }: Partial<AuthOptions> & { readonly queue?: boolean } = {},
) {
  await scratch.pool.query(
    'create table if not exists mail_jobs (id uuid primary key, type text not null, input jsonb not null)',
  )
  const mails: MailMessage[] = []
  const enqueue: Enqueue = async (type, input, options) => {
    const id = uuidv7()
    await ((options?.tx as Executor | undefined) ?? scratch.db).execute(
      sql`insert into mail_jobs (id, type, input) values (${id}::uuid, ${type}::text, ${JSON.stringify(input)}::jsonb)`,
    )
    return id
  }
  const auth = createAuth({
    db: scratch.db,
    secrets: [SECRET],
    app: { name: 'Acme', origin: 'https://app.example' },
    limiter: 'none',
    mailer: {
      send: async (message) => {
        mails.push(message)
        return { id: String(mails.length) }
      },
    },
    ...(queue && { enqueue }),
    // The cost of a hash is not what these tests are about.
    hasher: scrypt({ logN: 4 }),
    hashing: { running: 4, pending: 1000 },
    ...overrides,
  })
  const app = new Hono<AuthEnv>()
    .use(session(auth))
    .get('/me', requireUser(), (c) => c.json(c.var.user))
    .post('/danger', requireFresh(), (c) => c.json({ done: true }))
    .get('/public', (c) =>
      c.json({ who: c.var.user?.email ?? null }, 200, { 'Cache-Control': 'public, max-age=60' }),
    )
    .route('/auth', authRoutes(auth))
  app.onError((error, c) => {
    if (!isBreakwaterError(error)) throw error
    const body = { code: error.code, detail: error.message, fields: error.fields, ...error.extensions }
    return c.json(body, error.status, { ...error.headers })
  })

  const background: Promise<unknown>[] = []
  const context = {
    waitUntil(promise: Promise<unknown>) {
      background.push(promise)
      // Whoever settles hears of it; a test that does not may take the database away first.
      promise.catch(() => {})
    },
    passThroughOnException() {},
    props: {},
  }

  /** Waits for everything that was left for after the reply. */
  async function settle(): Promise<void> {
    while (background.length > 0) await Promise.all(background.splice(0))
  }

  /** Runs the jobs that are there and gives the mails they sent. */
  async function runJobs(): Promise<MailMessage[]> {
    await settle()
    const { rows } = await scratch.pool.query('delete from mail_jobs returning type, input')
    const before = mails.length
    for (const { type, input } of rows) {
      if (type !== 'auth.mail') throw new Error(`no such job: ${type}`)
      await auth.deliver(input as AuthMail)
    }
    return mails.slice(before)
  }

  function createClient(address = '192.0.2.1'): Client {
    const jar = new Map<string, string>()
    async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await app.fetch(
        new Request(`https://app.example${path}`, {
          method,
          headers: {
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(cookie && { cookie }),
            'cf-connecting-ip': address,
            'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0',
            ...headers,
          },
          ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        }),
        {},
        context,
      )
      const cookies = response.headers.getSetCookie()
      for (const line of cookies) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (/max-age=0/i.test(line)) jar.delete(name)
        else jar.set(name, value)
      }
      const text = await response.text()
      return {
        status: response.status,
        json: text === '' ? {} : (JSON.parse(text) as Json),
        headers: response.headers,
        cookies,
      }
    }
    return {
      jar,
      send,
      post: (path, body, headers) => send('POST', path, body, headers),
      get: (path, headers) => send('GET', path, undefined, headers),
    }
  }

  /** The token of a mail's link. */
  function tokenIn(mail: MailMessage | undefined): string {
    const token = /#token=([\w-]+)/.exec(mail?.text ?? '')?.[1]
    if (token === undefined) throw new Error('no token in this mail')
    return token
  }

  const devices = new Map<string, string>()

  /** A verified account. */
  async function register(email: string, password = PASSWORD): Promise<void> {
    const client = createClient()
    await client.post('/auth/sign-up', { email, password })
    const mail = (await runJobs()).find((m) => m.to === email)
    await client.post('/auth/verify-mail', { token: tokenIn(mail) })
    devices.set(email, client.jar.get('__Host-device') ?? '')
  }

  /** A client that has signed in, on the device that the account was verified on. */
  async function signedIn(email: string, password = PASSWORD): Promise<Client> {
    const client = createClient()
    client.jar.set('__Host-device', devices.get(email) ?? '')
    const reply = await client.post('/auth/sign-in', { email, password })
    if (reply.status !== 200) throw new Error(`could not sign in: ${reply.status}`)
    return client
  }

  return { app, auth, mails, enqueue, settle, runJobs, createClient, tokenIn, register, signedIn }
}

export type Application = Awaited<ReturnType<typeof createApplication>>

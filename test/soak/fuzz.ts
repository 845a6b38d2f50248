import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Local, startLocal } from '../../src/local/index.ts'
import { signedUp } from '../system/support/signed-up.ts'

/** One request nobody meant. */
interface Odd {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | undefined
  readonly signedIn: boolean
  /** Sent as the app's own page would, so that it gets past the refusal of cross-site requests. */
  readonly fromPage: boolean
}

const PATHS = [
  '/', '/me', '/livez', '/readyz', '/nothing', '/auth', '/auth/sign-up', '/auth/sign-in', '/auth/sign-out',
  '/auth/verify-mail', '/auth/session', '/auth/sessions', '/auth/sessions/1', '/auth/password/change',
  '/auth/password/forgot', '/auth/password/reset', '/auth/sign-out-everywhere', '/auth/sign-in/second-factor',
  '/auth/token/refresh', '/auth/mail/change', '/auth/mail/confirm', '/auth/totp/enrol', '/auth/totp/confirm',
  '/uploads', '/uploads/1',
  '/uploads?kind=image', '/uploads/01a205b3-7711-7e7e-92f0-cbadbf2f934c', '/ops/jobs', '/ops/backup/latest',
] // biome-ignore format: a list of words

// What node:http lets through; workerd sees the rest of what a client may send.
const headerText = fc
  .string({ unit: 'binary', maxLength: 60 })
  .map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, ''))
const json = fc.oneof(
  fc.json({ maxDepth: 6 }),
  fc
    .record({ email: fc.oneof(fc.emailAddress(), fc.string()), password: fc.string({ maxLength: 200 }) })
    .map((v) => JSON.stringify(v)),
  fc.record({ token: fc.string(), newPassword: fc.string() }).map((v) => JSON.stringify(v)),
  fc.integer({ min: 1, max: 3000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  fc.constant('{"email":'),
)
const segment = fc.oneof(
  fc.webPath(),
  fc.string({ unit: 'binary', maxLength: 30 }).map((text) => `/${encodeURI(text.toWellFormed())}`),
)
const path = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...PATHS) },
  { weight: 1, arbitrary: segment },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...PATHS), fc.webQueryParameters())
      .map(([at, query]) => `${at}?${query}`),
  },
)
const odd: fc.Arbitrary<Odd> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'POST', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'),
  path,
  headers: fc.dictionary(
    fc.constantFrom(
      'accept', 'accept-language', 'authorization', 'content-type', 'content-digest', 'cookie', 'if-none-match', 'if-range',
      'origin', 'range', 'sec-fetch-site', 'traceparent', 'tracestate', 'user-agent', 'x-forwarded-for', 'x-request-id',
    ), // biome-ignore format: a list of words
    fc.oneof(
      headerText,
      fc.constantFrom(
        'application/json', 'text/html', 'multipart/form-data; boundary=x', 'image/png', 'bytes=0-', 'bytes=-0', 'same-origin',
        'cross-site', 'null', 'Bearer x', '__Host-session=a.b', '00-0-0-0', '*/*;q=0',
      ), // biome-ignore format: a list of words
    ),
    { maxKeys: 5 },
  ),
  body: fc.option(fc.oneof(json, fc.string({ unit: 'binary', maxLength: 300 })), { nil: undefined }),
  signedIn: fc.boolean(),
  fromPage: fc.boolean(),
})

/** Refusals that are meant: somebody is told when to come back. */
const isDeliberate = (status: number, headers: IncomingHttpHeaders): boolean =>
  status === 503 && headers['retry-after'] !== undefined

const STACK = /\n\s+at |\.[jt]s:\d+:\d+/

/** How much, and from where on. */
export interface FuzzOptions {
  readonly count: number
  readonly seed: number
  /** Told after each batch how many are done. */
  readonly onProgress?: (done: number) => void
}

/**
 * Random requests through the reference app on the whole local stack, as production renders it: no 5xx that is not
 * deliberate, no stack and no secret in any reply or log line, and the app is well afterwards.
 */
export async function run(options: { count: number | undefined; seed: number | undefined }): Promise<string> {
  const { count = 100_000, seed = Date.now() % 2 ** 31 } = options
  const state = mkdtempSync(join(tmpdir(), 'breakwater-fuzz-'))
  const lines: string[] = []
  const local = await startLocal({
    state,
    crons: false,
    vars: { ENVIRONMENT: 'test' },
    onLog: (part, line) => part === 'worker' && lines.push(line),
  })
  try {
    let next = 10_000
    const onProgress = (done: number): void => {
      if (done < next) return
      next += 10_000
      console.error(`${done} of ${count} requests, seed ${seed}`)
    }
    return await fuzz(local, lines, { count, seed, onProgress })
  } finally {
    await local.stop()
    rmSync(state, { recursive: true, force: true })
  }
}

/**
 * The same on a stack that runs, whose worker is not in development.
 * @param lines Where the worker's log lines arrive; they are taken out as they are looked at.
 */
export async function fuzz(
  local: Local,
  lines: string[],
  { count, seed, onProgress }: FuzzOptions,
): Promise<string> {
  const secrets = [
    'SESSION_SECRET',
    'OPS_TOKEN',
    'BACKUP_KEY',
    'UPSTASH_REDIS_REST_TOKEN',
    'RESEND_API_KEY',
  ].map((name) => local.vars[name] ?? '')
  secrets.push(new URL(local.postgres).password)
  const [email, password] = ['fuzz@lighthouse.dev', 'a lamp in every window 7']
  const visitor = await signedUp(local, email, password)
  const noteCookies = (): unknown =>
    secrets.push(...visitor.cookie.split('; ').map((pair) => pair.slice(pair.indexOf('=') + 1)))
  noteCookies()
  const statuses = new Map<number, number>()
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const fault = (sent: Odd, why: string): Error => new Error(`${why}\nseed ${seed}\n${JSON.stringify(sent)}`)

  const leak = (text: string): string | undefined =>
    secrets.find((secret) => secret !== '' && text.includes(secret))
  let number = 0
  const one = async (given: Odd): Promise<void> => {
    // wrangler's own proxy answers 500 to a GET with a body; a deployed Worker never sees one.
    const sent = /^(GET|HEAD)$/.test(given.method) ? { ...given, body: undefined } : given
    // Everyone from an address of their own, or all but the first few hundred would meet the limiter.
    number++
    const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`
    const headers: Record<string, string> = { ...sent.headers, 'cf-connecting-ip': address }
    // Node leaves it out for methods that seldom have a body, and the body would be taken for the next request.
    if (sent.body !== undefined) headers['content-length'] = String(Buffer.byteLength(sent.body))
    if (sent.fromPage)
      Object.assign(headers, { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' })
    if (sent.signedIn && headers['cookie'] === undefined) headers['cookie'] = visitor.cookie
    const reply = await send(
      `${local.worker}${sent.path}`,
      { agent, method: sent.method, headers },
      sent.body,
    )
    // Static files are served without waking the worker, and refuse other methods by themselves.
    const isAsset = reply.status === 405 && reply.body === ''
    statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1)
    if (reply.status >= 500 && !isDeliberate(reply.status, reply.headers))
      throw fault(sent, `answered ${reply.status}: ${reply.body.slice(0, 200)}`)
    if (STACK.test(reply.body)) throw fault(sent, 'shows a stack')
    // Its own cookie may come back to whoever sent it; in a body it may not.
    if (leak(reply.body)) throw fault(sent, 'shows a secret')
    if (reply.status >= 400 && sent.method !== 'HEAD' && !isAsset && !reply.headers['x-request-id'])
      throw fault(sent, `answered ${reply.status} without a request id: ${reply.body.slice(0, 200)}`)
  }

  for (let done = 0; done < count; ) {
    // Some of the requests sign out.
    if ((await visitor.get('/me')).status === 401) {
      const reply = await visitor.post('/auth/sign-in', { email, password })
      if (reply.status !== 200)
        throw new Error(`Signing in again was answered ${reply.status} (seed ${seed})`)
      noteCookies()
    }
    const batch = fc.sample(odd, { numRuns: Math.min(256, count - done), seed: seed + done })
    const queue = batch[Symbol.iterator]()
    const worker = async (): Promise<void> => {
      for (const sent of queue) await one(sent)
    }
    await Promise.all(Array.from({ length: 12 }, worker))
    done += batch.length
    onProgress?.(done)
    for (const line of lines.splice(0)) {
      if (leak(line)) throw new Error(`A log line shows a secret (seed ${seed}): ${line.slice(0, 200)}`)
    }
  }
  agent.destroy()
  const ready = await fetch(`${local.worker}/readyz`)
  if (ready.status !== 200) throw new Error(`Afterwards /readyz answers ${ready.status} (seed ${seed})`)
  const spread = [...statuses].sort(([a], [b]) => a - b).map(([status, n]) => `${n} × ${status}`)
  return `${count} random requests, seed ${seed}: ${spread.join(', ')}; no 5xx that is not deliberate, no stack, no secret`
}

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

function send(
  url: string,
  options: { agent: Agent; method: string; headers: Record<string, string> },
  body: string | undefined,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: Buffer.concat(chunks).toString('latin1'),
        }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

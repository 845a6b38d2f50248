import type { Row } from '../table.ts'
import type { Outside } from './outside.ts'

/** One subject in workerd, and what it sends. */
export interface Running {
  readonly outside: Outside
  /** Sends a request, and waits until nothing more comes. */
  request(path: string, init?: RequestInit): Promise<{ status: number }>
  queue(): Promise<void>
  scheduled(): Promise<void>
  /** Kilobytes gzipped, Hono apart. */
  readonly kilobytes: number
}

interface Event {
  transaction?: string
  exception?: { values?: { value?: string; mechanism?: { handled?: boolean } }[] }
}

const of = (running: Running, type: string): Event[] =>
  running.outside.seen.items.filter((item) => item.type === type).map(({ payload }) => payload as Event)
const errors = (running: Running): Event[] => of(running, 'event')

interface Span {
  op?: string
  description?: string
  trace_id?: string
}
const spans = (running: Running): Span[] =>
  of(running, 'transaction').flatMap((event) => (event as { spans?: Span[] }).spans ?? [])

/** A requirement: resolves with what is wrong, or with nothing. */
type Check = (running: Running) => Promise<string | undefined>

const told =
  (path: string): Check =>
  async (running) => {
    await running.request(path)
    const n = errors(running).length
    return n === 1 ? undefined : `${n} error events`
  }

const TRACE = 'a'.repeat(32)
const CALLER = 'b'.repeat(16)

const traced =
  (headers: Record<string, string>): Check =>
  async (running) => {
    await running.request('/fine', { headers })
    const [event] = of(running, 'transaction') as { contexts?: { trace?: { trace_id?: string } } }[]
    if (event === undefined) return 'no transaction'
    return event.contexts?.trace?.trace_id === TRACE ? undefined : 'another trace'
  }

const spanned =
  (what: RegExp, not?: RegExp): Check =>
  async (running) => {
    await running.request('/work/7')
    const found = spans(running).find(({ op, description }) => what.test(`${op} ${description}`))
    if (found === undefined) return 'none'
    return not?.test(`${found.description}`) ? 'with a value in it' : undefined
  }

const SECRETS: Readonly<Record<string, string>> = {
  'the Authorization header': 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLXRva2Vu',
  'a cookie': '__Host-session=v1.k7Fh2mQ9xW4tZ8bN3cV6yL1pR5sD0gJa',
  'the query': 'reset-9f8e7d6c5b4a39281706f5e4d3c2b1a0',
  'the path': 'p4thT0kenWithManyLettersAndD1g1ts99',
  'the body': 'correct-horse-battery-staple',
  'a mail address in a message': 'ann@example.com',
  'a card number in a message': '4242 4242 4242 4242',
  'an IP address': '203.0.113.77',
}

const scrubbed =
  (what: string): Check =>
  async (running) => {
    const secret = SECRETS[what] ?? ''
    await running.request(`/secrets/${SECRETS['the path']}?token=${SECRETS['the query']}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${SECRETS['the Authorization header']}`,
        cookie: SECRETS['a cookie'] ?? '',
        'cf-connecting-ip': SECRETS['an IP address'] ?? '',
      },
      body: JSON.stringify({ password: SECRETS['the body'] }),
    })
    const { raw } = running.outside.seen
    if (raw.length === 0) return 'nothing was sent'
    return raw.some((one) => one.includes(secret)) ? 'it was sent' : undefined
  }

/** Every row of the matrix. */
const CHECKS: readonly (readonly [id: string, title: string, check: Check])[] = [
  ['thrown', 'A thrown error is told, once', told('/users/7/thrown')],
  [
    'mechanism',
    'A thrown error is marked as unhandled',
    async (running) => {
      await running.request('/users/7/thrown')
      const mechanism = errors(running)[0]?.exception?.values?.at(-1)?.mechanism
      return mechanism?.handled === false ? undefined : `handled is ${mechanism?.handled}`
    },
  ],
  [
    'route',
    'An error is named by the route’s pattern',
    async (running) => {
      await running.request('/users/7/thrown')
      const name = errors(running)[0]?.transaction
      return name === 'GET /users/:id/thrown' ? undefined : `${name}`
    },
  ],
  ['non-error', 'A thrown string is told', told('/non-error')],
  ['http-5xx', 'HTTPException 502 is told', told('/http-502')],
  [
    'http-4xx',
    'HTTPException 404 is no noise',
    async (running) => {
      await running.request('/http-404')
      return errors(running).length === 0 ? undefined : 'told'
    },
  ],
  ['returned', 'A returned 500 is told', told('/returned/7')],
  ['wait-until', 'A rejected waitUntil is told', told('/wait-until')],
  ...(['queue', 'scheduled'] as const).map(
    (kind) =>
      [
        kind,
        kind === 'queue'
          ? 'A failing batch is told, with a transaction'
          : 'A failing tick is told, with a transaction',
        async (running: Running) => {
          await running[kind]()
          const n = errors(running).length
          if (n !== 1) return `${n} error events`
          return of(running, 'transaction').length === 1 ? undefined : 'no transaction'
        },
      ] as const,
  ),
  [
    'check-in',
    'A cron tick checks in',
    async (running) => {
      await running.scheduled()
      return of(running, 'check_in').length > 0 ? undefined : 'no check-in'
    },
  ],
  ['trace-in-w3c', 'traceparent is continued', traced({ traceparent: `00-${TRACE}-${CALLER}-01` })],
  ['trace-in-sentry', 'sentry-trace is continued', traced({ 'sentry-trace': `${TRACE}-${CALLER}-1` })],
  ...(['traceparent', 'sentry-trace'] as const).map(
    (name) =>
      [
        `trace-out-${name === 'traceparent' ? 'w3c' : 'sentry'}`,
        `${name} goes out with fetch`,
        async (running: Running) => {
          await running.request('/work/7', {
            headers: { traceparent: `00-${TRACE}-${CALLER}-01`, 'sentry-trace': `${TRACE}-${CALLER}-1` },
          })
          const sent = running.outside.seen.api[0]?.[name]
          return sent?.includes(TRACE) ? undefined : `${sent}`
        },
      ] as const,
  ),
  ['span-middleware', 'A span for each middleware', spanned(/houseRules/)],
  ['span-fetch', 'A span for an outgoing fetch', spanned(/^http\.client GET .*(?:127\.0\.0\.1|\[ip\])/)],
  [
    'span-sql',
    'A span for an SQL statement, without its parameters',
    spanned(/db.*select .?name.? from/, /ann@/),
  ],
  ['span-redis', 'A span for a Redis call', spanned(/redis/i, /ann@/)],
  ['span-r2', 'A span for an R2 call', spanned(/object-store|R2/)],
  ...Object.keys(SECRETS).map(
    (what, i) =>
      [
        `private-${i + 1}`,
        `${what[0]?.toUpperCase()}${what.slice(1)} does not leave`,
        scrubbed(what),
      ] as const,
  ),
  [
    'kept-429',
    'An error is kept across a 429 and sent when it may be',
    async (running) => {
      running.outside.status = 429
      await running.request('/users/7/thrown')
      running.outside.status = 200
      await new Promise((resolve) => setTimeout(resolve, 1100))
      await running.request('/fine')
      return errors(running).length === 1 ? undefined : 'lost'
    },
  ],
  [
    'quiet-429',
    'While a 429 lasts, the ingest is left alone',
    async (running) => {
      running.outside.status = 429
      for (let i = 0; i < 4; i++) await running.request('/users/7/thrown')
      running.outside.status = 200
      // What was under way with the first may still have gone.
      const n = running.outside.seen.raw.length
      return n <= 2 ? undefined : `${n} requests`
    },
  ],
  [
    'down',
    'A request is answered while the ingest fails',
    async (running) => {
      running.outside.status = 503
      const { status } = await running.request('/fine')
      running.outside.status = 200
      return status === 200 ? undefined : `${status}`
    },
  ],
  [
    'size',
    'At most 25 KB gzipped, client included',
    async ({ kilobytes }) => (kilobytes <= 25 ? undefined : `${kilobytes} KB`),
  ],
]

/** Runs every check, each in an isolate of its own. */
export async function rowsOf(start: () => Promise<Running & { stop(): Promise<void> }>): Promise<Row[]> {
  const rows: Row[] = []
  for (const [id, title, check] of CHECKS) {
    const running = await start()
    let wrong: string | undefined
    try {
      wrong = await check(running)
    } catch (error) {
      wrong = (error as Error).message
    } finally {
      await running.stop()
    }
    rows.push({
      id,
      title,
      status: wrong === undefined ? 'pass' : 'fail',
      ...(wrong !== undefined && { note: wrong }),
    })
  }
  return rows
}

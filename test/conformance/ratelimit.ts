import '../../bench/support/self.ts'
import { type Item, parseList } from './structured-fields.ts'
import { type Conformance, conformance, type Row } from './table.ts'

const { BreakwaterError, problems, requestContext } = await import('../../src/core/index.ts')
const { cors } = await import('../../src/secure/index.ts')
const { memory, rateLimit } = await import('../../src/rate-limit/index.ts')
const { Hono } = await import('hono')

const policies = {
  default: { quota: 50, window: '1 m' },
  'burst.2': { quota: 2, window: '90 s', algorithm: 'fixed-window' },
  bucket: { quota: 6, window: '1500 ms', algorithm: 'token-bucket', burst: 3 },
  slots: { quota: 1, window: '1 m', algorithm: 'concurrency' },
  strict: { quota: 1, window: '1 m', penalty: { after: 1, ceiling: '10 m' } },
  quiet: { quota: 1, window: '1 m', shadow: true },
} as const

function app() {
  const limits = rateLimit({ limiter: { store: memory(), policies } })
  return problems(
    new Hono()
      .use(requestContext())
      .use(cors({ origins: ['https://web.example'] }))
      .use(limits)
      .get('/', (c) => c.text('ok'))
      .get('/raw', () => new Response('raw'))
      .get('/boom', () => {
        throw new BreakwaterError('conflict', { status: 409 })
      })
      .get('/burst', limits.limit('burst.2'), (c) => c.text('ok'))
      .get('/bucket', limits.limit('bucket'), (c) => c.text('ok'))
      .get('/slots', limits.limit('slots'), (c) => c.text('ok'))
      .get('/strict', limits.limit('strict'), (c) => c.text('ok'))
      .get('/quiet', limits.limit('quiet'), (c) => c.text('ok')),
  )
}

type Ask = (path: string) => Promise<Response>
type Test = (ask: Ask) => Promise<void>

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what)
}
const policyField = (reply: Response): Item[] => parseList(reply.headers.get('ratelimit-policy') ?? '')
const limitField = (reply: Response): Item[] => parseList(reply.headers.get('ratelimit') ?? '')
const integer = (item: Item, name: string): number | undefined => {
  const found = item.parameters.get(name)
  if (found === undefined) return undefined
  must(found.kind === 'integer' && found.value >= 0, `${name} is no non-negative Integer`)
  return found.value as number
}
const named = (items: Item[], name: string): Item => {
  const found = items.find(({ item }) => item.value === name)
  must(found !== undefined, `there is no member "${name}"`)
  return found
}
async function refusedBy(ask: Ask, path: string): Promise<Response> {
  for (let i = 0; i < 10; i++) {
    const reply = await ask(path)
    if (reply.status === 429) return reply
    await reply.text()
  }
  throw new Error(`${path} was never refused`)
}

const TESTS: readonly (readonly [id: string, title: string, test: Test])[] = [
  [
    'policy-list',
    'RateLimit-Policy is a non-empty List of Items that are Strings, on every reply, errors included',
    async (ask) => {
      for (const path of ['/', '/raw', '/boom', '/nowhere', '/burst', '/bucket', '/slots']) {
        const items = policyField(await ask(path))
        must(items.length > 0, `${path} has none`)
        must(
          items.every(({ item }) => item.kind === 'string'),
          `${path} has something else`,
        )
      }
    },
  ],
  [
    'policy-q',
    'q is a non-negative Integer and always there',
    async (ask) => {
      for (const item of policyField(await ask('/burst'))) must(integer(item, 'q') !== undefined, 'no q')
      must(integer(named(policyField(await ask('/burst')), 'burst.2'), 'q') === 2, 'not the quota')
    },
  ],
  [
    'policy-qu',
    'qu says what is counted where that is not requests',
    async (ask) => {
      const unit = named(policyField(await ask('/slots')), 'slots').parameters.get('qu')
      must(unit?.kind === 'string' && unit.value === 'concurrent-requests', 'not what is in flight')
    },
  ],
  [
    'policy-w',
    'w is a whole number of seconds, rounded up, and absent where there is no window',
    async (ask) => {
      must(integer(named(policyField(await ask('/burst')), 'burst.2'), 'w') === 90, 'not 90')
      must(integer(named(policyField(await ask('/bucket')), 'bucket'), 'w') === 2, 'not rounded up')
      must(!named(policyField(await ask('/slots')), 'slots').parameters.has('w'), 'a window of slots')
    },
  ],
  [
    'policy-stable',
    'RateLimit-Policy stays the same from reply to reply',
    async (ask) => {
      const first = (await ask('/burst')).headers.get('ratelimit-policy')
      must(first === (await ask('/burst')).headers.get('ratelimit-policy'), 'it changed')
      must(
        first === (await refusedBy(ask, '/burst')).headers.get('ratelimit-policy'),
        'it changed on a refusal',
      )
    },
  ],
  [
    'limit-list',
    'RateLimit is a List of Items that name policies of RateLimit-Policy',
    async (ask) => {
      for (const path of ['/', '/raw', '/boom', '/nowhere', '/burst', '/bucket']) {
        const reply = await ask(path)
        const names = policyField(reply).map(({ item }) => item.value)
        const states = limitField(reply)
        must(states.length > 0 && states.every(({ item }) => names.includes(item.value)), path)
      }
    },
  ],
  [
    'limit-r',
    'r is what is left, and never negative',
    async (ask) => {
      const left: (number | undefined)[] = []
      for (let i = 0; i < 2; i++) left.push(integer(named(limitField(await ask('/burst')), 'burst.2'), 'r'))
      left.push(integer(named(limitField(await refusedBy(ask, '/burst')), 'burst.2'), 'r'))
      must(left.join() === '1,0,0', left.join())
    },
  ],
  [
    'limit-t',
    't is a whole number of seconds, not beyond the window',
    async (ask) => {
      const t = integer(named(limitField(await ask('/burst')), 'burst.2'), 't')
      must(t !== undefined && t > 0 && t <= 90, String(t))
    },
  ],
  [
    'shadow',
    'A shadow policy, which refuses nobody, is not mentioned',
    async (ask) => {
      await ask('/quiet')
      const reply = await ask('/quiet')
      must(
        reply.status === 200 && policyField(reply).every(({ item }) => item.value !== 'quiet'),
        'mentioned',
      )
    },
  ],
  [
    'retry-after',
    'Retry-After is a number of seconds and not before t of any policy that refuses',
    async (ask) => {
      for (const path of ['/burst', '/bucket', '/strict']) {
        const reply = await refusedBy(ask, path)
        const after = reply.headers.get('retry-after') ?? ''
        must(/^[1-9]\d*$/.test(after), `${path}: ${after}`)
        for (const item of limitField(reply))
          must(Number(after) >= (integer(item, 't') ?? 0), `${path} is too early`)
      }
    },
  ],
  [
    'quota-exceeded',
    'A refusal is the problem type quota-exceeded with violated-policies',
    async (ask) => {
      const reply = await refusedBy(ask, '/burst')
      must(
        reply.headers.get('content-type')?.startsWith('application/problem+json') === true,
        'no problem document',
      )
      const problem = (await reply.json()) as Record<string, unknown>
      must(problem['type'] === 'https://iana.org/assignments/http-problem-types#quota-exceeded', 'type')
      must(problem['status'] === 429, 'status')
      must(JSON.stringify(problem['violated-policies']) === '["burst.2"]', 'violated-policies')
    },
  ],
  [
    'abnormal-usage',
    'A key under a penalty is the problem type abnormal-usage-detected with violated-policies',
    async (ask) => {
      await refusedBy(ask, '/strict')
      const problem = (await (await ask('/strict')).json()) as Record<string, unknown>
      must(
        problem['type'] === 'https://iana.org/assignments/http-problem-types#abnormal-usage-detected',
        'type',
      )
      must(JSON.stringify(problem['violated-policies']) === '["strict"]', 'violated-policies')
    },
  ],
  [
    'cors',
    'Scripts of other origins may read RateLimit, RateLimit-Policy and Retry-After',
    async (ask) => {
      const exposed = ((await ask('/')).headers.get('access-control-expose-headers') ?? '')
        .toLowerCase()
        .split(/, */)
      for (const name of ['ratelimit', 'ratelimit-policy', 'retry-after']) must(exposed.includes(name), name)
    },
  ],
]

/** Every requirement of the draft, asked of an app that is new for each. */
export async function run(): Promise<Conformance> {
  const rows: Row[] = []
  for (const [id, title, test] of TESTS) {
    const subject = app()
    const ask: Ask = async (path) =>
      subject.request(path, {
        headers: {
          'cf-connecting-ip': '203.0.113.7',
          origin: 'https://web.example',
          accept: 'application/json',
        },
      })
    try {
      await test(ask)
      rows.push({ id, title, status: 'pass' })
    } catch (error) {
      rows.push({ id, title, status: 'fail', note: (error as Error).message })
    }
  }
  return conformance('ratelimit', rows)
}

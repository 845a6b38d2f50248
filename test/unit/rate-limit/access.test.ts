import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { problems } from 'breakwater/core'
import { memory, rateLimit } from 'breakwater/rate-limit'
import {
  type AccessListOptions,
  accessList,
  by,
  clientAddress,
  inNetwork,
  network,
  parseAddress,
  type TurnstileOptions,
  turnstile,
} from 'breakwater/rate-limit/access'
import fc from 'fast-check'
import { type Context, Hono } from 'hono'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

// A window's edge inside a test would let one more request pass.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

type Cf = Record<string, unknown>

/** A request as Cloudflare hands it over. */
function request(headers: Record<string, string>, cf?: Cf, path = '/'): Request {
  const made = new Request(`https://app.example${path}`, { headers })
  return cf ? Object.assign(made, { cf }) : made
}

describe('networks', () => {
  it.each([
    ['203.0.113.0/24', '203.0.113.255', true],
    ['203.0.113.0/24', '203.0.114.0', false],
    ['203.0.113.7', '203.0.113.7', true],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['::ffff:192.0.2.0/120', '192.0.2.99', true],
    ['192.0.2.0/24', '::ffff:c000:263', true],
    ['2001:db8::/127', '2001:db8::1', true],
    ['2001:db8::/128', '2001:db8::1', false],
  ])('%s holds %s: %s', (net, address, inside) => {
    const parsed = parseAddress(address)
    expect(parsed && inNetwork(parsed, network(net))).toBe(inside)
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '::/129',
    '010.0.0.1',
    '1.2.3.4/8',
    'a::b::c',
    '1.2.3.4/24/8',
  ])('refuses %j', (text) => {
    expect(() => network(text)).toThrow(TypeError)
  })

  it('reads an IPv6 address the same however it is written', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const parsed = parseAddress(text)
        // The platform's own parser writes it canonically.
        const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1)
        expect(parsed).toBeDefined()
        expect(parseAddress(canonical)).toEqual(parsed)
        expect(parseAddress(text.toUpperCase())).toEqual(parsed)
      }),
    )
  })

  it('holds exactly the addresses that share the prefix', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (base, other, length) => {
        const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
        const size = 2 ** (32 - length)
        const start = Math.floor(number(base) / size) * size
        const dotted = [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join('.')
        const parsed = parseAddress(other)
        expect(parsed && inNetwork(parsed, network(`${dotted}/${length}`))).toBe(
          number(other) >= start && number(other) < start + size,
        )
      }),
    )
  })
})

describe('the address behind proxies', () => {
  const proxies = { networks: ['192.0.2.0/24', '2001:db8:f::/48'] }
  const ask = (headers: Record<string, string>, options?: Parameters<typeof clientAddress>[0]) => {
    let said: string | undefined
    const app = new Hono().get('/', (c) => {
      said = clientAddress(options)(c)
      return c.text('')
    })
    return Promise.resolve(app.fetch(request(headers))).then(() => said)
  }

  it.each([
    [
      'what Cloudflare saw, where nobody is trusted',
      { 'cf-connecting-ip': '203.0.113.7', 'x-forwarded-for': '8.8.8.8' },
      undefined,
      '203.0.113.7',
    ],
    [
      'what Cloudflare saw, where it is no trusted proxy',
      { 'cf-connecting-ip': '203.0.113.7', 'x-forwarded-for': '8.8.8.8' },
      proxies,
      '203.0.113.7',
    ],
    [
      'what a trusted proxy saw',
      { 'cf-connecting-ip': '192.0.2.1', 'x-forwarded-for': '198.51.100.9' },
      proxies,
      '198.51.100.9',
    ],
    [
      'not what the client claims before it',
      { 'cf-connecting-ip': '192.0.2.1', 'x-forwarded-for': '8.8.8.8, 198.51.100.9' },
      proxies,
      '198.51.100.9',
    ],
    [
      'what is before a chain of trusted ones',
      {
        'cf-connecting-ip': '192.0.2.1',
        'x-forwarded-for': '8.8.8.8, 198.51.100.9, [2001:db8:f::1]:443, 192.0.2.9:80',
      },
      proxies,
      '198.51.100.9',
    ],
    [
      'the proxy itself, where it wrote nonsense',
      { 'cf-connecting-ip': '192.0.2.1', 'x-forwarded-for': '8.8.8.8, unknown' },
      proxies,
      '192.0.2.1',
    ],
    ['the proxy itself, where it wrote nothing', { 'cf-connecting-ip': '192.0.2.1' }, proxies, '192.0.2.1'],
    [
      'a field of its own',
      { 'cf-connecting-ip': '192.0.2.1', 'true-client-ip': '198.51.100.9' },
      { ...proxies, header: 'true-client-ip' },
      '198.51.100.9',
    ],
    ['nothing, where Cloudflare says nothing', { 'x-forwarded-for': '8.8.8.8' }, proxies, undefined],
  ])('is %s', async (_, headers, options, address) => {
    expect(await ask(headers as Record<string, string>, options)).toBe(address)
  })
})

describe('keys', () => {
  async function keyOf(
    key: (c: Context) => unknown,
    headers: Record<string, string> = {},
    variables: Cf = {},
  ) {
    let said: unknown
    const app = new Hono<{ Variables: Cf }>()
      .use((c, next) => {
        for (const name in variables) c.set(name, variables[name])
        return next()
      })
      .get('/users/:id', async (c) => {
        said = await key(c as unknown as Context)
        return c.text('')
      })
    await app.fetch(request({ 'cf-connecting-ip': '203.0.113.7', ...headers }, undefined, '/users/7'))
    return said
  }

  it('name their kind, so that no two kinds meet', async () => {
    expect(await keyOf(by.address())).toBe('ip:203.0.113.7')
    expect(await keyOf(by.account(), {}, { user: { id: 'u1' } })).toBe('account:u1')
    expect(await keyOf(by.session(), {}, { session: { id: 'u1' } })).toBe('session:u1')
    expect(await keyOf(by.apiKey(), { authorization: 'Bearer u1' })).toBe('key:Bearer u1')
    expect(await keyOf(by.tenant((c) => c.req.param('id')))).toBe('tenant:7')
    expect(await keyOf(by.route())).toBe('route:GET /users/:id')
  })

  it('are undefined, which means the address, for whoever has no account', async () => {
    expect(await keyOf(by.account())).toBeUndefined()
    expect(await keyOf(by.account(), {}, { user: { id: '' } })).toBeUndefined()
    expect(await keyOf(by.mix(by.account(), by.route()))).toBe('14:ip:203.0.113.720:route:GET /users/:id')
  })

  it('mix without two mixtures meeting', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string(), { minLength: 4, maxLength: 4 }), async ([a, b, c, d]) => {
        const mixed = (one = '', other = '') =>
          keyOf(
            by.mix(
              () => `a:${one}`,
              async () => `b:${other}`,
            ),
          )
        expect((await mixed(a, b)) === (await mixed(c, d))).toBe(a === c && b === d)
      }),
      { numRuns: 50 },
    )
  })
})

describe('access lists', () => {
  const said = async (options: AccessListOptions, headers: Record<string, string>, cf?: Cf) => {
    let answer: unknown
    const app = new Hono().get('/', (c) => {
      answer = accessList(options)(c) ?? 'limits decide'
      return c.text('')
    })
    await app.fetch(request(headers, cf))
    return answer
  }
  const from = (address: string) => ({ 'cf-connecting-ip': address })

  it('know addresses, networks, systems, countries, bots and scores', async () => {
    const deny = {
      addresses: ['203.0.113.0/24', '2001:db8::/32'],
      asns: [64496],
      countries: ['XX', 'T1'],
      botScore: { max: 29 },
    }
    expect(await said({ deny }, from('203.0.113.9'))).toBe('deny')
    expect(await said({ deny }, from('2001:db8:1::9'))).toBe('deny')
    expect(await said({ deny }, from('198.51.100.1'), { asn: 64496 })).toBe('deny')
    expect(await said({ deny }, from('198.51.100.1'), { country: 'T1' })).toBe('deny')
    expect(await said({ deny }, from('198.51.100.1'), { botManagement: { score: 29 } })).toBe('deny')
    expect(await said({ deny }, from('198.51.100.1'), { botManagement: { score: 30 } })).toBe('limits decide')
    // 0: Cloudflare has no score.
    expect(await said({ deny }, from('198.51.100.1'), { botManagement: { score: 0 } })).toBe('limits decide')
    expect(await said({ deny }, from('198.51.100.1'))).toBe('limits decide')
    expect(await said({ deny }, {})).toBe('limits decide')
  })

  it('let an allowance win over a denial, and a denial over a challenge', async () => {
    const all = { addresses: ['0.0.0.0/0'] }
    const allow = { addresses: ['203.0.113.7'], verifiedBots: true }
    expect(await said({ allow, deny: all, challenge: all }, from('203.0.113.7'))).toBe('allow')
    expect(
      await said({ allow, deny: all }, from('198.51.100.1'), { botManagement: { verifiedBot: true } }),
    ).toBe('allow')
    expect(await said({ allow, deny: all, challenge: all }, from('203.0.113.8'))).toBe('deny')
    expect(await said({ challenge: all }, from('203.0.113.8'))).toBe('challenge')
  })

  it.each([
    { addresses: ['203.0.113.7/24'] },
    { asns: [0] },
    { asns: ['AS1'] },
    { countries: ['nl'] },
    { botScore: { min: 0 } },
    { botScore: { min: 50, max: 20 } },
  ])('refuse the wrong rule %j when made', (rules) => {
    expect(() => accessList({ deny: rules as never })).toThrow(TypeError)
  })

  it('refuse with 403, let the allowed pass uncounted, and leave the rest to the limits', async () => {
    const policies = { default: { quota: 1, window: '1 m' }, search: { quota: 1, window: '1 m' } } as const
    const access = accessList({
      allow: { addresses: ['192.0.2.1'] },
      deny: { addresses: ['192.0.2.2'] },
      challenge: { addresses: ['192.0.2.3'] },
    })
    const limits = rateLimit({ limiter: { store: memory(), policies }, access })
    const app = problems(new Hono().use(limits).get('/', limits.limit('search'), (c) => c.text('ok')))
    const ask = async (address: string) => (await app.fetch(request(from(address)))).status
    for (let i = 0; i < 3; i++) expect(await ask('192.0.2.1')).toBe(200)
    expect(await ask('192.0.2.2')).toBe(403)
    // Without a challenge to pass, whoever must pass one is refused.
    expect(await ask('192.0.2.3')).toBe(403)
    expect(await ask('192.0.2.4')).toBe(200)
    expect(await ask('192.0.2.4')).toBe(429)
  })
})

describe('Turnstile', () => {
  let server: Server
  let siteverify: string
  let asked: Record<string, string>[] = []
  let mode: 'ok' | 'down' = 'ok'
  beforeAll(async () => {
    const spent = new Set<string>()
    server = createServer(async (incoming, outgoing) => {
      const body = JSON.parse(Buffer.concat(await incoming.toArray()).toString())
      asked.push(body)
      if (mode === 'down') return void outgoing.writeHead(500).end('<html>')
      const good = body.secret === 's3cret' && /^good/.test(body.response) && !spent.has(body.response)
      spent.add(body.response)
      outgoing.end(
        JSON.stringify({ success: good, hostname: 'app.example', action: 'search', 'error-codes': [] }),
      )
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    siteverify = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  })
  afterAll(() => void server.close())
  beforeEach(() => {
    asked = []
    mode = 'ok'
  })

  function app(options: Partial<TurnstileOptions> = {}) {
    const policies = {
      default: { quota: 1, window: '1 m' },
      credentials: { quota: 2, window: '1 m', algorithm: 'fixed-window' },
    } as const
    const limits = rateLimit({
      limiter: { store: memory(), policies },
      access: accessList({ challenge: { countries: ['XX'] } }),
      challenge: turnstile({ sitekey: 'public', secret: 's3cret', siteverify, ...options }),
    })
    const hono = problems(
      new Hono()
        .use(limits)
        .get('/', (c) => c.text('ok'))
        .get('/sign-in', limits.limit('credentials'), (c) => c.text('ok')),
    )
    return (token?: string, { path = '/', cf }: { path?: string; cf?: Cf } = {}) =>
      hono.fetch(
        request(
          {
            'cf-connecting-ip': '203.0.113.7',
            ...(token !== undefined && { 'cf-turnstile-response': token }),
          },
          cf,
          path,
        ),
      )
  }

  it('asks for a proof in the place of 429, and lets one request pass for each', async () => {
    const ask = app()
    expect((await ask()).status).toBe(200)
    const refused = await ask()
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({
      code: 'challenge-required',
      challenge: { type: 'turnstile', sitekey: 'public', header: 'cf-turnstile-response' },
      'violated-policies': ['default'],
    })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(asked).toEqual([])
    expect((await ask('good-1')).status).toBe(200)
    expect(asked).toEqual([{ secret: 's3cret', response: 'good-1', remoteip: '203.0.113.7' }])
    // Cloudflare accepts a token once.
    expect((await ask('good-1')).status).toBe(403)
    expect((await ask('bad')).status).toBe(403)
    expect((await ask('x'.repeat(3000))).status).toBe(403)
    expect(asked.length).toBe(3)
  })

  it('lifts no other policy than it is meant for, and charges those', async () => {
    const ask = app()
    const path = '/sign-in'
    expect((await ask(undefined, { path })).status).toBe(200)
    expect((await ask('good-2', { path })).status).toBe(200)
    expect((await ask('good-3', { path })).status).toBe(429)
  })

  it('lets whoever is on the list pass with a proof, and still counts him', async () => {
    const ask = app()
    const cf = { country: 'XX' }
    expect((await ask(undefined, { cf })).status).toBe(403)
    expect((await ask('good-4', { cf })).status).toBe(200)
    expect((await ask('good-4')).status).toBe(403)
  })

  it('lifts nothing when the token is another widget’s or site’s, or cannot be verified', async () => {
    for (const options of [
      { hostnames: ['other.example'] },
      { action: 'other' },
      { siteverify: 'http://127.0.0.1:1/' },
    ]) {
      const ask = app(options)
      await ask()
      expect((await ask(`good-${JSON.stringify(options)}`)).status).toBe(403)
    }
    mode = 'down'
    const ask = app()
    await ask()
    expect((await ask('good-5')).status).toBe(403)
  })

  it('does not verify more than a few tokens of one address', async () => {
    const ask = app()
    await ask()
    for (let i = 0; i < 40; i++) await ask(`bad-${i}`)
    expect(asked.length).toBeGreaterThan(15)
    expect(asked.length).toBeLessThan(25)
  })

  it('refuses to be made without keys, or for a policy there is not', () => {
    expect(() => turnstile({ sitekey: '', secret: 's' })).toThrow(TypeError)
    expect(() => app({ policies: ['nope'] })).toThrow()
  })
})

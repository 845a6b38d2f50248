import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { createSentryApp, type StandIn, serveStandIn } from 'breakwater/local'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let folder: string
let file: string
let sentry: StandIn

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'breakwater-sentry-'))
  file = join(folder, 'sentry.ndjson')
  sentry = await serveStandIn(createSentryApp({ file, max: 50 }))
})
afterAll(async () => {
  await sentry.stop()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => fetch(`${sentry.url}/api/events`, { method: 'DELETE' }))

const trace = '0af7651916cd43dd8448eb211c80319c'
const error = {
  event_id: 'a'.repeat(32),
  level: 'error',
  release: '1.2.3',
  environment: 'test',
  transaction: 'GET /me',
  exception: {
    values: [
      {
        type: 'TypeError',
        value: '<script>alert(1)</script>',
        mechanism: { type: 'hono', handled: false },
        stacktrace: {
          frames: [{ function: 'outer' }, { function: 'inner', filename: 'a.ts', lineno: 3, colno: 7 }],
        },
      },
    ],
  },
  breadcrumbs: [{ timestamp: 1_700_000_000, category: 'db', message: 'select <1>' }],
  tags: { area: '"><img src=x>' },
  contexts: { trace: { trace_id: trace } },
}
const transaction = {
  transaction: 'GET /me',
  start_timestamp: 1000,
  timestamp: 1000.5,
  contexts: { trace: { trace_id: trace, op: 'http.server' } },
  spans: [{ op: 'db.query', description: 'select ?', start_timestamp: 1000.1, timestamp: 1000.2 }],
}
const envelope = [
  { event_id: error.event_id },
  { type: 'event' },
  error,
  { type: 'transaction', length: JSON.stringify(transaction).length },
  transaction,
  { type: 'check_in' },
  { monitor_slug: 'backup', status: 'ok' },
]
  .map((line) => JSON.stringify(line))
  .join('\n')

async function send(
  body: string | Uint8Array<ArrayBuffer>,
  { headers = {}, path = '/api/7/envelope/', query = '?sentry_key=k' } = {},
): Promise<Response> {
  return fetch(`${sentry.url}${path}${query}`, { method: 'POST', body, headers })
}

interface Listed {
  readonly events: { id: string; type: string; title: string; project: string; payload: unknown }[]
  readonly total: number
}

async function list(query = ''): Promise<Listed> {
  return (await fetch(`${sentry.url}/api/events${query}`)).json() as Promise<Listed>
}

describe('the ingest', () => {
  it('takes an envelope and tells its event id', async () => {
    const response = await send(envelope)
    expect([response.status, await response.json()]).toEqual([200, { id: error.event_id }])
    const { events } = await list()
    expect(events.map(({ type, project, title }) => [type, project, title])).toEqual([
      ['check_in', '7', 'backup: ok'],
      ['transaction', '7', 'GET /me'],
      ['event', '7', 'TypeError: <script>alert(1)</script>'],
    ])
    expect(events[2]?.payload).toEqual(error)
  })

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('undoes %s', async (encoding, compress) => {
    const body = new Uint8Array(compress(envelope))
    expect((await send(body, { headers: { 'content-encoding': encoding } })).status).toBe(200)
    expect((await list()).total).toBe(3)
  })

  it('knows the key from the query, from a header, or from the DSN in the envelope', async () => {
    const header = { 'x-sentry-auth': 'Sentry sentry_version=7, sentry_client=x/1, sentry_key=abc' }
    expect((await send(envelope, { query: '', headers: header })).status).toBe(200)
    const withDsn = envelope.replace('{', '{"dsn":"http://k@127.0.0.1/7",')
    expect((await send(withDsn, { query: '' })).status).toBe(200)
    expect((await send(envelope, { query: '' })).status).toBe(401)
    expect((await list()).total).toBe(6)
  })

  it.each([
    ['', {}],
    ['not an envelope', {}],
    ['{}\n{"type":"event","length":500}\n{}', {}],
    [envelope, { 'content-encoding': 'gzip' }],
    [envelope, { 'content-encoding': 'snappy' }],
  ])('refuses what is malformed with 400 and keeps nothing of it (%#)', async (body, headers) => {
    const response = await send(body, { headers: headers as Record<string, string> })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ detail: expect.any(String) })
    expect((await list()).total).toBe(0)
  })

  it('refuses a bomb', async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(64 * 1024 * 1024)))
    expect((await send(bomb, { headers: { 'content-encoding': 'gzip' } })).status).toBe(413)
  })

  it('takes the older store endpoint, plain or deflated and in base64', async () => {
    const event = JSON.stringify({ event_id: 'b'.repeat(32), message: 'old' })
    for (const body of [event, deflateSync(event).toString('base64')]) {
      const response = await send(body, { path: '/api/7/store/' })
      expect([response.status, await response.json()]).toEqual([200, { id: 'b'.repeat(32) }])
    }
    expect((await send('nothing', { path: '/api/7/store/' })).status).toBe(400)
    expect((await list('?query=OLD')).total).toBe(2)
  })

  it('lets pages of any origin send, and read nothing', async () => {
    const preflight = await fetch(`${sentry.url}/api/7/envelope/?sentry_key=k`, {
      method: 'OPTIONS',
      headers: { origin: 'http://app.example', 'access-control-request-method': 'POST' },
    })
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    const sent = await send(envelope, { headers: { origin: 'http://app.example' } })
    expect(sent.headers.get('access-control-allow-origin')).toBe('*')
    expect(sent.headers.get('access-control-expose-headers')).toContain('x-sentry-rate-limits')
    const read = await fetch(`${sentry.url}/api/events`, { headers: { origin: 'http://app.example' } })
    expect(read.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('takes only the keys it was given, when it was', async () => {
    const strict = await serveStandIn(createSentryApp({ keys: ['right'] }))
    const status = async (key: string): Promise<number> =>
      (await fetch(`${strict.url}/api/1/envelope/?sentry_key=${key}`, { method: 'POST', body: envelope }))
        .status
    expect([await status('right'), await status('wrong')]).toEqual([200, 403])
    await strict.stop()
  })
})

describe('what was captured', () => {
  it('is found by type, level, release, trace and text', async () => {
    await send(envelope)
    for (const [query, total] of [
      ['?type=event', 1],
      ['?level=error&release=1.2.3&environment=test', 1],
      ['?release=9', 0],
      [`?trace=${trace}`, 2],
      ['?query=typeerror', 1],
      ['?project=7', 3],
      ['?since=2999-01-01T00:00:00Z', 0],
    ] as const) {
      expect([query, (await list(query)).total]).toEqual([query, total])
    }
    expect((await list('?limit=1')).events).toHaveLength(1)
    expect((await fetch(`${sentry.url}/api/events?limit=x`)).status).toBe(400)
    expect((await fetch(`${sentry.url}/api/events/${error.event_id}`)).status).toBe(200)
    expect((await fetch(`${sentry.url}/api/events/none`)).status).toBe(404)
  })

  it('is shown on pages that run none of it', async () => {
    await send(envelope)
    const index = await fetch(sentry.url)
    expect(index.headers.get('content-security-policy')).toContain("default-src 'none'")
    const pages = [await index.text()]
    for (const { id } of (await list()).events)
      pages.push(await (await fetch(`${sentry.url}/events/${id}`)).text())
    for (const page of pages) {
      expect(page).not.toContain('<script>alert')
      expect(page).not.toContain('<img src=x>')
    }
    const detail = pages.find((page) => page.includes('inner  a.ts:3:7'))
    expect(detail).toContain('select &lt;1&gt;')
    expect(detail).toContain('unhandled')
    expect(pages.find((page) => page.includes('100.0 ms'))).toContain('left:20.00%;width:20.00%')
  })

  it('is not cleared by the page of another site', async () => {
    await send(envelope)
    const headers = { 'sec-fetch-site': 'cross-site' }
    expect((await fetch(`${sentry.url}/clear`, { method: 'POST', headers })).status).toBe(403)
    expect((await list()).total).toBe(3)
    await fetch(`${sentry.url}/clear`, { method: 'POST' })
    expect((await list()).total).toBe(0)
  })

  it('survives a restart, a torn last line included, and the newest stay', async () => {
    for (let i = 0; i < 60; i++) await send(`{}\n{"type":"event"}\n{"message":"number ${i}"}`)
    await sentry.stop()
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"id":"torn","ti`)
    sentry = await serveStandIn(createSentryApp({ file, max: 50 }))
    await send('{}\n{"type":"event"}\n{"message":"number 60"}')
    await sentry.stop()
    sentry = await serveStandIn(createSentryApp({ file, max: 50 }))
    const { events, total } = await list()
    expect(total).toBe(50)
    expect(events[0]?.title).toBe('number 60')
    expect(events[49]?.title).toBe('number 11')
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CapturedRecord, type Local, startLocal } from 'breakwater/local'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signedUp } from '../support/signed-up.ts'
import { eventually, Visitor } from '../support/visitor.ts'

// What the rooms tell capture, seen where people see it: in the ingest, after a request to the reference app.
const state = mkdtempSync(join(tmpdir(), 'breakwater-facts-'))
const email = 'ada@lighthouse.dev'
const password = 'a lamp in every window 7'
let local: Local

beforeAll(async () => {
  local = await startLocal({ state, crons: false })
}, 120_000)
afterAll(async () => {
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

interface Event extends CapturedRecord {
  readonly payload: {
    readonly user?: { readonly id?: string }
    readonly tags: Readonly<Record<string, string>>
    readonly contexts: {
      readonly trace: {
        readonly trace_id: string
        readonly span_id: string
        readonly parent_span_id?: string
        readonly op?: string
      }
      readonly work?: Readonly<Record<string, string>>
    }
    readonly breadcrumbs?: {
      readonly values: readonly { readonly category: string; readonly message: string }[]
    }
    readonly spans?: readonly {
      readonly op: string
      readonly description: string
      readonly trace_id: string
    }[]
  }
}

/** What the ingest has of a trace, once it is enough. */
async function traced(trace: string, enough: (found: Event[]) => boolean): Promise<Event[]> {
  return eventually(
    async () =>
      ((await (await fetch(`${local.sentry}/api/events?trace=${trace}`)).json()) as { events: Event[] })
        .events,
    enough,
  )
}

describe('an error in the reference app', () => {
  it('says who, in which session, how near the limits, and what had been done', async () => {
    const ada = await signedUp(local, email, password)
    const me = (await (await ada.get('/me')).json()) as { id: string }
    const { sessions } = (await (await ada.get('/auth/sessions')).json()) as {
      sessions: { id: string; current: boolean }[]
    }
    const trace = 'a1'.repeat(16)
    const reply = await ada.get('/boom', { traceparent: `00-${trace}-${'b2'.repeat(8)}-01` })
    expect(reply.status).toBe(500)
    const found = await traced(trace, (all) => all.length >= 2)
    const error = found.find(({ type }) => type === 'event')
    expect(error).toMatchObject({
      level: 'error',
      environment: 'development',
      transaction: 'GET /boom',
      payload: {
        user: { id: me.id },
        tags: { work: 'request', request_id: reply.headers.get('x-request-id') },
        contexts: {
          trace: { trace_id: trace, parent_span_id: 'b2'.repeat(8) },
          work: {
            sessionId: sessions.find(({ current }) => current)?.id,
            rateLimit: expect.stringMatching(/"default";r=\d+;t=\d+/),
          },
        },
      },
    })
    expect(error?.release).toBeTruthy()
    const crumbs = error?.payload.breadcrumbs?.values.map(({ category }) => category)
    expect(crumbs, 'the limiter and the session asked Redis').toContain('db.redis')
    // The same request's trace is sent because it failed, whatever the sample says.
    const transaction = found.find(({ type }) => type === 'transaction')
    expect(transaction?.payload.spans?.map(({ description }) => description)).toEqual(
      expect.arrayContaining(['guard', 'GET /boom']),
    )
    const all = JSON.stringify(found)
    for (const secret of [email, password, ...ada.cookie.split('; ').map((pair) => pair.split('=')[1] ?? '')])
      expect(all).not.toContain(secret)
  })

  it('shows its original lines in the local ingest', async () => {
    const trace = 'a2'.repeat(16)
    await new Visitor(local.worker ?? '').get('/boom', { traceparent: `00-${trace}-${'b2'.repeat(8)}-01` })
    const found = await traced(trace, (all) => all.some(({ type }) => type === 'event'))
    const error = found.find(({ type }) => type === 'event')
    const last = error?.originals?.[0]?.at(-1)
    expect(last?.filename).toBe('worker/app.ts')
    expect(last?.context?.lines.join('\n')).toContain('The reference app was asked to fail')
  })
})

describe('a job', () => {
  it('continues the trace of the request that made it, through Postgres and the queue', async () => {
    // In the sample by its id, so that both sides send theirs.
    const trace = `${'c3'.repeat(12)}00000001`
    const grace = new Visitor(local.worker ?? '')
    const reply = await grace.post(
      '/auth/sign-up',
      { email: 'grace@lighthouse.dev', password },
      { traceparent: `00-${trace}-${'d4'.repeat(8)}-01` },
    )
    expect(reply.status).toBe(202)
    const isJob = ({ type, transaction }: Event) =>
      type === 'transaction' && transaction?.startsWith('job ') === true
    const found = await traced(trace, (all) => all.some(isJob) && all.length >= 2)
    const request = found.find(({ transaction }) => transaction === 'POST /auth/sign-up')
    const job = found.find(isJob)
    const root = request?.payload.contexts.trace.span_id
    expect(job?.payload.contexts.trace).toMatchObject({
      trace_id: trace,
      parent_span_id: root,
      op: 'queue.process',
      status: 'ok',
    })
    // What the job did is below it, not below the batch it came in.
    expect(job?.payload.spans?.map(({ op }) => op)).toContain('http.client')
    expect(job?.payload.spans?.every((span) => span.trace_id === trace)).toBe(true)

    const client = new pg.Client({ connectionString: local.postgres })
    await client.connect()
    const { rows } = await client.query<{ traceparent: string }>(
      'select traceparent from breakwater.jobs where traceparent like $1',
      [`00-${trace}-%`],
    )
    await client.end()
    expect(rows).toEqual([{ traceparent: `00-${trace}-${root}-01` }])
  })
})

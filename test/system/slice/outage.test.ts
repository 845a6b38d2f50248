import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fault, type Local, startLocal } from 'breakwater/local'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fewest } from '../support/fewest.ts'
import { signedUp } from '../support/signed-up.ts'
import { eventually, Visitor } from '../support/visitor.ts'

// The reference app while what it stands on is out.
const state = mkdtempSync(join(tmpdir(), 'breakwater-outage-'))
const [email, password] = ['grace@lighthouse.dev', 'a lamp in every window 8']
let local: Local
let grace: Visitor

beforeAll(async () => {
  local = await startLocal({ state, crons: false })
  grace = await signedUp(local, email, password)
}, 120_000)

afterEach(async () => {
  for (const url of [local.upstash, local.neon])
    await fetch(`${url}/__breakwater/faults`, { method: 'DELETE' })
})

afterAll(async () => {
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

async function fault(url: string, what: Fault): Promise<void> {
  const reply = await fetch(`${url}/__breakwater/faults`, { method: 'PUT', body: JSON.stringify(what) })
  if (!reply.ok) throw new Error(await reply.text())
}

async function asked(url: string, during: () => Promise<unknown>): Promise<number> {
  await fetch(`${url}/__breakwater/stats`, { method: 'DELETE' })
  await during()
  return ((await (await fetch(`${url}/__breakwater/stats`)).json()) as { total: number }).total
}

interface Health {
  status: string
  checks: Record<string, { observedValue: unknown; status: string }[]>
}

async function readiness(): Promise<{ status: number; health: Health }> {
  const reply = await fetch(`${local.worker}/readyz`, {
    headers: { authorization: `Bearer ${local.vars['OPS_TOKEN']}` },
  })
  return { status: reply.status, health: (await reply.json()) as Health }
}

/** The state of the circuit whose name begins so, as `/readyz` tells it. */
function circuit(health: Health, name: string): unknown {
  const key = Object.keys(health.checks).find((one) => one.startsWith(`${name}@`) && one.endsWith(':breaker'))
  return key && health.checks[key]?.[0]?.observedValue
}

describe('signing in', () => {
  it('asks Redis once before it answers', async () => {
    const wrong = (): Promise<Response> =>
      new Visitor(local.worker ?? '').post('/auth/sign-in', { email, password: 'not the one at all' })
    expect(await fewest(local.upstash, wrong)).toBe(1)
    const right = (): Promise<Response> =>
      new Visitor(local.worker ?? '').post('/auth/sign-in', { email, password })
    // What a right password has spent is given back behind the reply.
    expect(await fewest(local.upstash, right)).toBeLessThanOrEqual(2)
  })
})

describe('when Redis hangs', () => {
  it('goes on without it, stops asking, says so in /readyz, and comes back to it', async () => {
    await fault(local.upstash, { hang: true })
    await eventually(
      async () => {
        expect((await grace.get('/me')).status).toBe(200)
        return (await readiness()).health
      },
      (health) => circuit(health, 'redis') === 'open',
      30_000,
    )
    // Open for a second at first, and longer each time: most of these ask nobody.
    const times = await asked(local.upstash, async () => {
      for (let i = 0; i < 20; i++) expect((await grace.get('/me')).status).toBe(200)
    })
    expect(times).toBeLessThan(10)
    const { status, health } = await readiness()
    expect({ status, health: health.status }).toEqual({ status: 200, health: 'warn' })

    await fetch(`${local.upstash}/__breakwater/faults`, { method: 'DELETE' })
    await eventually(
      async () => {
        await grace.get('/me')
        return (await readiness()).health
      },
      (after) => circuit(after, 'redis') === 'closed' && after.status === 'pass',
      45_000,
    )
  })
})

describe('when Postgres drops every connection', () => {
  it('refuses at once what needs it, serves what does not, says so in /readyz, and comes back to it', async () => {
    const signIn = (): Promise<Response> =>
      new Visitor(local.worker ?? '').post(
        '/auth/sign-in',
        { email, password },
        { 'cf-connecting-ip': '198.18.0.9' },
      )
    await grace.get('/me')
    await fault(local.neon, { drop: 'before' })
    const first = await signIn()
    expect(first.status).toBe(503)
    expect(await first.json()).toMatchObject({ status: 503 })
    await eventually(
      async () => {
        await signIn()
        return (await readiness()).health
      },
      (health) => circuit(health, 'postgres') === 'open',
      30_000,
    )
    // Open for a second at first: of five in a row, some meet it open and ask nobody.
    const replies: Response[] = []
    const reached = await asked(local.neon, async () => {
      for (let i = 0; i < 5; i++) replies.push(await signIn())
    })
    expect(replies.map((reply) => reply.status)).toEqual([503, 503, 503, 503, 503])
    for (const reply of replies) expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(reached).toBeLessThan(5)

    const down = await readiness()
    expect({ status: down.status, health: down.health.status }).toEqual({ status: 503, health: 'fail' })
    expect((await fetch(`${local.worker}/livez`)).status).toBe(200)
    expect((await grace.get('/me')).status).toBe(200)

    await fetch(`${local.neon}/__breakwater/faults`, { method: 'DELETE' })
    await eventually(
      async () => (await readiness()).health,
      (health) => circuit(health, 'postgres') === 'closed' && health.status === 'pass',
      45_000,
    )
    expect((await signIn()).status).toBe(200)
  })

  it('does not take statements that Postgres refuses for an outage', async () => {
    const reply = await fetch(
      `${local.worker}/ops/jobs/${'0'.repeat(8)}-0000-7000-8000-${'0'.repeat(12)}/replay`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${local.vars['OPS_TOKEN']}` },
      },
    )
    expect(reply.status).toBeLessThan(500)
    expect(circuit((await readiness()).health, 'postgres')).toBe('closed')
  })
})

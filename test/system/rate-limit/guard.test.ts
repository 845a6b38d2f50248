import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, startLocal } from 'breakwater/local'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fewest } from '../support/fewest.ts'
import { signedUp } from '../support/signed-up.ts'
import type { Visitor } from '../support/visitor.ts'

// The reference app on the local stack: what its guard asks of Redis, and what it does without.
const state = mkdtempSync(join(tmpdir(), 'breakwater-guard-'))
let local: Local
let visitor: Visitor

beforeAll(async () => {
  local = await startLocal({ state, crons: false })
  visitor = await signedUp(local, 'guard@lighthouse.dev', 'a lamp in every window 7')
}, 120_000)
afterAll(async () => {
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

const redis = (path: string, init?: RequestInit) => fetch(`${local.upstash}/__breakwater/${path}`, init)

async function during<T>(fault: object, act: () => Promise<T>): Promise<T> {
  expect((await redis('faults', { method: 'PUT', body: JSON.stringify(fault) })).status).toBe(200)
  try {
    return await act()
  } finally {
    await redis('faults', { method: 'DELETE' })
  }
}

describe('the guard', () => {
  it('asks about every limit and the session’s end in one Redis request', async () => {
    await visitor.get('/me')
    const total = await fewest(local.upstash, async () => {
      const reply = await visitor.get('/me')
      expect(reply.status).toBe(200)
      expect(reply.headers.get('ratelimit-policy')).toContain('"default"')
    })
    expect(total).toBe(1)
  })

  it('asks once for a route with a limit of its own as well', async () => {
    await visitor.get('/me')
    const total = await fewest(local.upstash, async () => {
      const reply = await visitor.fetch('/uploads?kind=image&name=a.png', {
        method: 'POST',
        body: new Uint8Array(8),
        headers: { 'content-type': 'image/png' },
      })
      await reply.arrayBuffer()
    })
    expect(total).toBe(1)
  })

  it.each([
    ['hangs', { hang: true }],
    ['fails', { status: 500 }],
  ])('lets a signed-in user in while Redis %s, and counts him here', async (_, fault) => {
    await during(fault, async () => {
      const began = performance.now()
      const reply = await visitor.get('/me')
      expect(reply.status).toBe(200)
      expect(reply.headers.get('ratelimit')).toMatch(/"default";r=\d+/)
      // The limits are decided within 150 ms; the rest is the session's own patience and the machine's.
      expect(performance.now() - began).toBeLessThan(4000)
    })
    await expect.poll(async () => (await visitor.get('/me')).status, { timeout: 10_000 }).toBe(200)
  })

  it('still refuses strangers while Redis is out', async () => {
    await during({ status: 500 }, async () => {
      expect((await fetch(`${local.worker}/me`)).status).toBe(401)
    })
  })
})

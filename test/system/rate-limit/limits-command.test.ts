import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLimiter, upstash } from 'breakwater/rate-limit'
import { createRedis } from 'breakwater/redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'

const root = join(import.meta.dirname, '../../..')
const secret = 'a secret of thirty-two characters'
const policies = { uploads: { quota: 2, window: '1 m', algorithm: 'concurrency' } } as const
const folder = mkdtempSync(join(tmpdir(), 'breakwater-limits-'))
const file = join(folder, 'policies.mjs')
let standIn: StandIn

beforeAll(async () => {
  standIn = await serveStandIn(createUpstashApp({ token: 't' }))
  writeFileSync(file, `export const policies = ${JSON.stringify(policies)}`)
})
afterAll(async () => {
  await standIn.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the command as a person would. */
async function limits(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['src/cli/main.ts', 'limits', ...args], {
    cwd: root,
    env: {
      PATH: process.env['PATH'],
      UPSTASH_REDIS_REST_URL: standIn.url,
      UPSTASH_REDIS_REST_TOKEN: 't',
      SESSION_SECRET: `${secret}, an older one`,
      ...env,
    },
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, out, err }
}

/** A limiter as the app has it; each is an isolate of its own. */
const isolate = () =>
  createLimiter({
    store: upstash(createRedis({ url: standIn.url, token: 't' })),
    secret,
    policies,
    timeout: 5000,
  })

describe('npx breakwater limits', () => {
  it('blocks an address for the app, shows it, and lets it go again', async () => {
    const request = [{ policy: 'default', key: 'ip:203.0.113.7' }]
    expect((await isolate().check(request)).allowed).toBe(true)
    const blocked = await limits(['block', '203.0.113.7', '--for', '30m'])
    expect(blocked).toMatchObject({ code: 0, err: '' })
    expect(blocked.out).toMatch(/ip:203\.0\.113\.7 +default +0 of 300 .*blocked for (1800|1799) s/)
    const refused = await isolate().check(request)
    expect(refused).toMatchObject({ allowed: false, violated: ['default'] })
    expect(refused.outcomes[0]?.penalized).toBe(true)
    expect((await limits(['unblock', '203.0.113.7'])).code).toBe(0)
    expect((await isolate().check(request)).outcomes).toMatchObject([{ allowed: true, remaining: 298 }])
  })

  it('takes every address of a /64 for one key, and shows every policy as JSON', async () => {
    await isolate().check([{ policy: 'credentials', key: 'ip:2001:db8:0:0::/64', cost: 3 }])
    const { out } = await limits(['show', '2001:db8::17', '--json'])
    const said = (JSON.parse(out) as { limits: { policy: string; remaining: number }[] }).limits
    expect(said.find(({ policy }) => policy === 'credentials')?.remaining).toBe(7)
    expect(said.length).toBe(9)
  })

  it('knows an app’s own policies, and forgets a key altogether', async () => {
    await isolate().check([{ policy: 'uploads', key: 'account:7', cost: 2 }])
    const own = ['--policies', file, '--policy', 'uploads']
    expect((await limits(['show', 'account:7', ...own])).out).toMatch(/uploads +0 of 2/)
    expect((await limits(['reset', 'account:7', ...own])).out).toMatch(/uploads +2 of 2/)
  })

  it('says in one sentence what is wrong, and never shows a secret', async () => {
    expect(await limits(['show'])).toMatchObject({ code: 2 })
    expect(await limits(['show', 'x', '--policy', 'nope'])).toMatchObject({ code: 2 })
    expect(await limits(['block', 'x', '--for', 'ever'])).toMatchObject({ code: 2 })
    expect(await limits(['show', 'x'], { SESSION_SECRET: '' })).toMatchObject({
      code: 2,
      err: 'SESSION_SECRET is not set.\n',
    })
    const wrong = await limits(['show', 'x'], { UPSTASH_REDIS_REST_TOKEN: 'wrong-token' })
    expect(wrong.code).toBe(1)
    expect(wrong.err).toMatch(/^Redis could not be asked: .*token/)
    expect(wrong.err).not.toMatch(/wrong-token|thirty-two/)
  })
})

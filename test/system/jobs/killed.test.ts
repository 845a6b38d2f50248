import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from '../../../src/local/dev/ports.ts'
import { type RunningWorker, startWorker } from '../../../src/local/dev/wrangler.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'

// A real wrangler with a real workerd, killed while it runs a batch.
const state = mkdtempSync(join(tmpdir(), 'breakwater-killed-'))
const dir = join(import.meta.dirname, '../../..')
/** What the outside was asked, by path. */
const asked = new Map<string, number>()
let scratch: ScratchDatabase
let outside: Server
let worker: RunningWorker | undefined
let url = ''

async function start(): Promise<void> {
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  worker = await startWorker({
    dir,
    config: join(import.meta.dirname, 'worker/wrangler.toml'),
    port,
    state,
    envFiles: [],
    vars: {
      DATABASE_URL: scratch.url,
      NEON_ENDPOINT: scratch.endpoint,
      OUTSIDE: `http://127.0.0.1:${(outside.address() as AddressInfo).port}`,
    },
    hide: [],
    log: () => {},
    started: () => {},
  })
}

beforeAll(async () => {
  scratch = await scratchDatabase()
  await scratch.pool.query('create table public.ledger (job uuid not null)')
  outside = createServer((request, reply) => {
    asked.set(request.url ?? '', (asked.get(request.url ?? '') ?? 0) + 1)
    setTimeout(() => reply.end('ok'), 100)
  })
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  await start()
})

afterAll(async () => {
  await worker?.stop()
  outside?.close()
  rmSync(state, { recursive: true, force: true })
  // What a killed wrangler leaves beside its configuration.
  rmSync(join(import.meta.dirname, 'worker/.wrangler'), { recursive: true, force: true })
})

async function states(): Promise<Record<string, number>> {
  const { rows } = await scratch.pool.query<{ state: string; n: number }>(
    'select state, count(*)::int as n from breakwater.jobs group by 1',
  )
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
}

async function until(what: string, done: () => Promise<boolean>, seconds = 40): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !(await done()); await sleep(50)) {
    if (Date.now() > end)
      throw new Error(`Not so in ${seconds} s: ${what}; ${JSON.stringify(await states())}`)
  }
}

/** Makes a minute pass for messages that were not heard of, and fires the cron. */
async function minute(): Promise<void> {
  await scratch.pool.query(`update breakwater.jobs set send_after = send_after - interval '1 minute'`)
  expect((await fetch(`${url}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`)).status).toBe(200)
}

it('ends every job once when its process is killed in the middle of a batch', async () => {
  const [effects, mails] = [30, 20]
  for (const [type, count] of [
    ['effect', effects],
    ['mail', mails],
  ] as const) {
    expect((await fetch(`${url}/${type}?count=${count}`)).status).toBe(200)
  }
  await until('some are done and some are running', async () => {
    const { done = 0, running = 0 } = await states()
    return done >= 6 && running > 2
  })
  worker?.kill()
  await worker?.ended
  const { done = 0, running = 0, pending = 0 } = await states()
  expect(running).toBeGreaterThan(0)
  expect(done + running + pending).toBe(effects + mails)
  // Nobody is left to commit: the half-done effects of the dead are gone.
  await until('the dead one’s transactions are over', async () => {
    const { rows } = await scratch.pool.query(
      `select from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
    )
    return rows.length === 0
  })
  await start()
  // The leases of the dead run out; nobody waits for it here.
  await scratch.pool.query(
    `update breakwater.jobs set lease_until = now() - interval '1 second' where state = 'running'`,
  )
  await minute()
  let looks = 0
  await until('all are done', async () => {
    if (++looks % 100 === 0) await minute()
    return (await states())['done'] === effects + mails
  })

  const { rows } = await scratch.pool.query<{ job: string; n: number }>(
    'select job, count(*)::int as n from public.ledger group by 1',
  )
  expect(rows).toHaveLength(effects)
  expect(rows.every(({ n }) => n === 1)).toBe(true)
  const sent = [...asked].filter(([path]) => path.startsWith('/mail/'))
  // One key a job, however often it was sent: what was on its way at a death is sent again, with the same key.
  expect(sent).toHaveLength(mails)
  expect(sent.reduce((sum, [, times]) => sum + times, 0)).toBeLessThanOrEqual(mails + 4)
}, 120_000)

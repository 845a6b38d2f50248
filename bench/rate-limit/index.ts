import { join } from 'node:path'
import { createUpstashApp, serveStandIn } from '../../src/local/index.ts'
import { createLimiter, memory } from '../../src/rate-limit/index.ts'
import { startRedis } from '../../test/system/upstash/differential.ts'
import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { installPeers } from '../support/peers.ts'
import { commandCalls } from '../support/redis-info.ts'
import { interleave, ratio, type Subject } from '../support/rounds.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { serveWorkers } from '../support/workerd.ts'

const TOKEN = 'a-token-for-the-bench'
const CHECKS = 50
const workers = join(import.meta.dirname, 'workers')

const subjects = [
  { name: 'bare', file: 'ours.ts', part: '0' },
  { name: '1 policy', file: 'ours.ts', part: '1' },
  { name: '2 policies', file: 'ours.ts', part: '2' },
  { name: '4 policies', file: 'ours.ts', part: '4' },
  { name: '@upstash/ratelimit', file: 'peers.ts', part: '@upstash/ratelimit' },
  { name: 'hono-rate-limiter', file: 'peers.ts', part: 'hono-rate-limiter' },
] as const

/** What a check costs: requests, commands, CPU. */
export const bench: Bench = {
  about:
    'Redis requests and commands a check, its CPU, and its rate beside @upstash/ratelimit and hono-rate-limiter.',
  options: '--rounds 5 --seconds 2 --connections 16',
  async run({ args, say }) {
    const options = numbers(args, { rounds: 5, seconds: 2, connections: 16 })
    installPeers(say)
    const redis = await startRedis()
    if (redis === undefined) say('redis-server is not installed: the embedded store is measured instead')
    const standIn = await serveStandIn(
      createUpstashApp({ token: TOKEN, ...(redis && { redisUrl: redis.url }) }),
    )
    const served = await serveWorkers(
      subjects.map(({ name, file, part }) => ({
        name: name.replaceAll(/\W+/g, '-'),
        entry: join(workers, file),
        bindings: { PART: part, URL: standIn.url, TOKEN },
      })),
    )
    const loads: Subject[] = subjects.map(({ name }) => ({
      name,
      url: `http://127.0.0.1:${served.ports[name.replaceAll(/\W+/g, '-')]}/check`,
      headers: () => ({ 'cf-connecting-ip': '192.0.2.7' }),
    }))
    try {
      const counts = new Map<string, { requests: number; commands: number }>()
      for (const load of loads) {
        // Scripts are loaded by the first.
        await ask(load, 3)
        const before = await asked(standIn.url, redis?.url)
        await ask(load, CHECKS)
        const after = await asked(standIn.url, redis?.url)
        const per = (one: number, other: number): number => round((other - one) / CHECKS)
        counts.set(load.name, {
          requests: per(before.requests, after.requests),
          commands: per(before.commands, after.commands),
        })
      }
      const measured = await interleave(loads, { ...options, pid: served.pid }, say)
      const decision = await decisionMicroseconds()
      const rows = subjects.map(({ name }) => {
        const { requests = 0, commands = 0 } = counts.get(name) ?? {}
        const { median, spread, cpu } = measured.get(name) ?? { median: 0, spread: 0, cpu: 0 }
        return {
          name,
          requests,
          commands,
          rps: Math.round(median),
          spread: round(spread, 3),
          cpu: round(cpu, 1),
        }
      })
      const ours = measured.get('1 policy')
      const byPolicies = (key: 'requests' | 'commands') =>
        Object.fromEntries(
          rows.filter(({ name }) => name.includes('polic')).map((row) => [name(row.name), row[key]]),
        )
      return {
        figures: {
          requestsPerCheck: byPolicies('requests'),
          commandsPerCheck: byPolicies('commands'),
          ratioToUpstash: round(ratio(ours, measured.get('@upstash/ratelimit'))),
          ratioToHonoRateLimiter: round(ratio(ours, measured.get('hono-rate-limiter'))),
          decisionMicroseconds: decision,
          subjects: rows,
        },
        report: [
          table(
            ['limiter', 'requests a check', 'commands a check', 'requests/s', 'spread', 'µs CPU a request'],
            rows.map((row) => [row.name, row.requests, row.commands, row.rps, row.spread, row.cpu]),
          ),
          '',
          `Commands are counted by ${redis ? 'a real Redis, those inside of scripts included' : 'the embedded store'}.`,
          `A decision by itself, store in memory, in Node: ${decision} µs.`,
        ].join('\n'),
      }
    } finally {
      await served.stop()
      await standIn.stop()
      await redis?.stop()
    }
  },
}

const name = (subject: string): string => subject.split(' ')[0] ?? ''

async function ask({ url, headers }: Subject, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const reply = await fetch(url, { headers: (await headers?.()) ?? {} })
    if (!reply.ok) throw new Error(`${url} answered ${reply.status}: ${await reply.text()}`)
    await reply.arrayBuffer()
  }
}

/** What Redis has been asked so far. */
async function asked(
  standIn: string,
  redisUrl: string | undefined,
): Promise<{ requests: number; commands: number }> {
  const stats = (await (await fetch(`${standIn}/__breakwater/stats`)).json()) as {
    total: number
    counters: Readonly<Record<string, number>>
  }
  if (redisUrl === undefined) {
    return { requests: stats.total, commands: Object.values(stats.counters).reduce((sum, n) => sum + n, 0) }
  }
  let commands = 0
  for (const [command, calls] of await commandCalls(redisUrl)) {
    if (!/^(info|quit|client|hello|config|command)/.test(command)) commands += calls
  }
  return { requests: stats.total, commands }
}

/** Microseconds for one policy without network or HTTP. */
async function decisionMicroseconds(): Promise<number> {
  const policies = { default: { quota: 1_000_000_000, window: '1 m' } } as const
  const limiter = createLimiter({ store: memory(), policies })
  const turns = 20_000
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    for (let i = 0; i < turns; i++) await limiter.check([{ policy: 'default', key: `ip:192.0.2.${i & 255}` }])
    best = Math.min(best, ((performance.now() - start) * 1000) / turns)
  }
  return round(best)
}

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Local } from '../../src/local/index.ts'
import { stacks } from '../edge/subjects.ts'
import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { installPeers } from '../support/peers.ts'
import { PASSWORD } from '../support/person.ts'
import { withStack } from '../support/stack.ts'
import { StandIns, type Trips } from '../support/stand-ins.ts'
import { percentile, round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { Visitor } from '../support/visitor.ts'
import { serveWorkers } from '../support/workerd.ts'
import { PEERS_TABLES } from './peers-tables.ts'

/** What Upstash and Neon take from a worker in the same region, roughly. */
const LATENCY = { redis: 8, postgres: 25 }
const CALLER = { 'cf-connecting-ip': '192.0.2.7' }
const EMAIL = 'ada@lighthouse.dev'

/** One flow of one stack. */
interface Flow {
  /** Before each turn, not timed. */
  readonly before?: () => unknown
  readonly run: () => Promise<unknown>
}

type Flows = Readonly<Record<string, Flow>>

interface Timed extends Trips {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** What people wait for when Redis is 8 ms away and Postgres 25 ms. */
export const bench: Bench = {
  about:
    'Milliseconds of each flow with Redis 8 ms away and Postgres 25 ms, beside the peers; round trips counted.',
  options: '--turns 40',
  async run({ args, say }) {
    const { turns } = numbers(args, { turns: 40 })
    installPeers(say)
    return withStack({ worker: false }, (local) => measure(local, turns, say))
  },
}

async function measure(local: Local, turns: number, say: (line: string) => void) {
  const workers = join(import.meta.dirname, 'workers')
  const bindings = {
    DATABASE_URL: local.vars['DATABASE_URL'] ?? '',
    NEON_ENDPOINT: local.neon,
    REDIS_URL: local.upstash,
    REDIS_TOKEN: local.vars['UPSTASH_REDIS_REST_TOKEN'] ?? '',
  }
  const peers = join(workers, 'peers.ts')
  await query(local.postgres, PEERS_TABLES)
  const served = await serveWorkers([
    ...stacks.filter(({ name }) => name === 'bare'),
    { name: 'ours', entry: join(workers, 'ours.ts'), bindings },
    { name: 'peers', entry: peers, bindings: { ...bindings, COOKIE_CACHE: 'off' } },
    { name: 'peers-cached', entry: peers, bindings: { ...bindings, COOKIE_CACHE: 'on' } },
  ])
  const standIns = new StandIns(local)
  const at = (name: string): Visitor => new Visitor(`http://127.0.0.1:${served.ports[name]}`, CALLER)
  try {
    const all: Readonly<Record<string, Flows>> = {
      bare: { 'GET, warm': { run: () => at('bare').send('GET', '/me') } },
      ours: await ourFlows(at('ours')),
      peers: await peerFlows(at('peers'), 'ada'),
      'peers, cookie cache': await peerFlows(at('peers-cached'), 'grace'),
    }
    await standIns.slow(LATENCY)
    const timed: Record<string, Record<string, Timed>> = {}
    for (const stack of Object.keys(all)) timed[stack] = {}
    const names = Object.keys(all['ours'] ?? {})
    for (const name of names) {
      for (const [stack, flows] of Object.entries(all)) {
        const flow = flows[name]
        if (flow) (timed[stack] ?? {})[name] = await time(flow, turns, standIns)
      }
      say(name)
    }
    return outcome(timed, names)
  } finally {
    await served.stop()
  }
}

async function ourFlows(ada: Visitor): Promise<Flows> {
  const credentials = { email: EMAIL, password: PASSWORD }
  await ada.send('POST', '/auth/sign-up', credentials)
  let token: string | undefined
  for (let tries = 0; token === undefined && tries < 50; tries++) {
    token = /#token=([\w.-]+)/.exec(await (await ada.send('GET', '/mail')).text())?.[1]
    // It goes out past the reply.
    await sleep(50)
  }
  await ada.send('POST', '/auth/verify-mail', { token })
  const signedIn = ada.copy()
  for (const device of [ada, signedIn]) await device.send('POST', '/auth/sign-in', credentials)
  return {
    'GET, warm': { run: () => signedIn.send('GET', '/me') },
    'GET, cold': { before: () => signedIn.forget(/cache/), run: () => signedIn.send('GET', '/me') },
    enqueue: { run: () => signedIn.send('POST', '/enqueue') },
    'sign in': {
      before: () => ada.forget(/session/),
      run: () => ada.send('POST', '/auth/sign-in', credentials),
    },
  }
}

async function peerFlows(who: Visitor, name: string): Promise<Flows> {
  const credentials = { email: `${name}@lighthouse.dev`, password: PASSWORD }
  const origin = { origin: 'http://localhost' }
  await who.send('POST', '/api/auth/sign-up/email', { ...credentials, name }, origin)
  const signedIn = who.copy()
  return {
    'GET, warm': { run: () => signedIn.send('GET', '/me') },
    'GET, cold': { before: () => signedIn.forget(/session_data/), run: () => signedIn.send('GET', '/me') },
    'sign in': {
      before: () => who.forget(/./),
      run: () => who.send('POST', '/api/auth/sign-in/email', credentials, origin),
    },
  }
}

async function time({ before, run }: Flow, turns: number, standIns: StandIns): Promise<Timed> {
  const turn = async (): Promise<number> => {
    await before?.()
    const start = performance.now()
    await run()
    return performance.now() - start
  }
  // Connections are open and code is compiled before it counts; a cookie of the right kind is at hand.
  for (let i = 0; i < 3; i++) await turn()
  await standIns.trips()
  await turn()
  const trips = await standIns.trips()
  const times: number[] = []
  for (let i = 0; i < turns; i++) times.push(await turn())
  const at = (share: number): number => round(percentile(times, share), 1)
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), ...trips }
}

function outcome(timed: Readonly<Record<string, Readonly<Record<string, Timed>>>>, names: readonly string[]) {
  const figures: Record<string, unknown> = {}
  for (const name of names) {
    const key = { 'GET, warm': 'warmGet', 'GET, cold': 'coldGet', 'sign in': 'signIn' }[name] ?? name
    const [ours, peers, cached] = ['ours', 'peers', 'peers, cookie cache'].map(
      (stack) => timed[stack]?.[name],
    )
    const capital = key.charAt(0).toUpperCase() + key.slice(1)
    if (ours)
      Object.assign(figures, {
        [`${key}P50Ms`]: ours.p50,
        [`${key}Redis`]: ours.redis,
        [`${key}Postgres`]: ours.postgres,
      })
    if (peers) figures[`peers${capital}P50Ms`] = peers.p50
    if (cached) figures[`peersCached${capital}P50Ms`] = cached.p50
  }
  const rows = names.flatMap((name) =>
    Object.entries(timed).flatMap(([stack, flows]) => {
      const one = flows[name]
      return one ? [[name, stack, one.p50, one.p95, one.p99, one.redis, one.postgres]] : []
    }),
  )
  return {
    figures: { ...figures, stacks: timed },
    report: [
      `Redis answers ${LATENCY.redis} ms late, Postgres ${LATENCY.postgres} ms.`,
      '',
      table(['flow', 'stack', 'p50 ms', 'p95 ms', 'p99 ms', 'Redis', 'Postgres'], rows),
      '',
      'The peers keep sessions in Redis and end them at once, as ours end. With their cookie cache they do not ask, and an ended session lives on for up to five minutes.',
    ].join('\n'),
  }
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

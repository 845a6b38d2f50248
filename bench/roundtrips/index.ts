import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '../../src/db/index.ts'
import { createJobs, job } from '../../src/jobs/index.ts'
import type { Local } from '../../src/local/index.ts'
import type { Bench } from '../support/bench.ts'
import { PASSWORD, signedUp } from '../support/person.ts'
import { withStack } from '../support/stack.ts'
import { StandIns, type Trips } from '../support/stand-ins.ts'
import { table } from '../support/table.ts'
import type { Visitor } from '../support/visitor.ts'
import { budget, type Flow } from './budget.ts'

/** What a flow took. */
interface Counted extends Trips {
  /** Asked behind the reply. */
  readonly behind: Trips
}

/** Counts what the reference worker asks of Redis and Postgres, flow by flow, against the budget. */
export const bench: Bench = {
  about: 'Round trips of each flow of the reference worker, against the budget; fails when over it.',
  options: '--quick: only what is done in a moment',
  async run({ args, say }) {
    const quick = args.includes('--quick')
    const counted = await withStack({}, (local) => measure(local, quick, say))
    const flows = Object.fromEntries(
      Object.entries(counted).map(([flow, trips]) => [flow, { ...trips, budget: budget[flow as Flow] }]),
    )
    const over = Object.entries(flows).flatMap(([flow, { redis, postgres, budget }]) =>
      redis > budget.redis || postgres > budget.postgres
        ? [
            `${flow} takes ${redis} to Redis and ${postgres} to Postgres; ${budget.redis} and ${budget.postgres} are allowed`,
          ]
        : [],
    )
    return {
      figures: { flows, overBudget: over.length },
      over,
      report: table(
        ['flow', 'Redis', 'Postgres', 'budget', 'behind the reply'],
        Object.entries(flows).map(([flow, { redis, postgres, budget, behind }]) => [
          flow,
          redis,
          postgres,
          `${budget.redis} + ${budget.postgres}`,
          `${behind.redis} + ${behind.postgres}`,
        ]),
      ),
    }
  },
}

/** Flows that leave nothing to a job. */
const quietFlows: readonly Flow[] = ['GET, warm', 'GET, cold', 'enqueue a job']

async function measure(
  local: Local,
  quick: boolean,
  say: (line: string) => void,
): Promise<Partial<Record<Flow, Counted>>> {
  const standIns = new StandIns(local)
  const ada = await signedUp(local.worker ?? '', local, 'ada@lighthouse.dev')
  const picture = new Uint8Array(readFileSync('test/fixtures/harbour.jpg'))

  const count = async (flow: Flow, run: () => Promise<unknown>): Promise<Counted> => {
    await run()
    // What had begun by the time of the reply counts as before it.
    const before = await standIns.trips()
    await sleep(300)
    const counted = { ...before, behind: await standIns.trips() }
    // A queue waits a second for its batch to fill; mails and uploads of this flow must not count for the next.
    if (!quietFlows.includes(flow)) await standIns.quiet(1200)
    say(`${flow}: ${before.redis} Redis, ${before.postgres} Postgres`)
    return counted
  }
  const upload = () =>
    ada.send('POST', '/uploads?kind=image&name=harbour.jpg', picture, { 'content-type': 'image/jpeg' })
  const signIn = (who: Visitor) =>
    who.send('POST', '/auth/sign-in', { email: 'ada@lighthouse.dev', password: PASSWORD })

  const db = createDatabase({ url: local.vars['DATABASE_URL'] ?? '', endpoint: local.neon })
  const beacon = job('beacon', { input: anything, transaction: false }, async () => {})
  const jobs = createJobs({ db, queue: { send: async () => {}, sendBatch: async () => {} }, jobs: [beacon] })

  const gets = async () => ({
    'GET, warm': await count('GET, warm', () => ada.send('GET', '/me')),
    'GET, cold': await count('GET, cold', () => {
      ada.forget(/cache/)
      return ada.send('GET', '/me')
    }),
    'enqueue a job': await count('enqueue a job', () => jobs.enqueue(beacon, { lit: true })),
  })
  // Once before it counts: scripts are loaded, connections opened. The mails of her sign-in are none of the flows.
  await ada.send('GET', '/me')
  await standIns.quiet(1500)
  if (quick) return gets()

  await upload()
  const phone = ada.copy()
  phone.forget(/session/)
  await signIn(phone)
  const { sessions } = (await (await ada.send('GET', '/auth/sessions')).json()) as {
    sessions: readonly { readonly id: string; readonly current: boolean }[]
  }
  const other = sessions.find(({ current }) => !current)?.id
  ada.forget(/cache/)
  await ada.send('GET', '/me')
  await standIns.quiet(1200)
  const changed = { currentPassword: PASSWORD, newPassword: `${PASSWORD}, and a horn` }

  return {
    ...(await gets()),
    'create an upload': await count('create an upload', upload),
    'revoke a session': await count('revoke a session', () => ada.send('DELETE', `/auth/sessions/${other}`)),
    'change password': await count('change password', () =>
      ada.send('POST', '/auth/password/change', changed),
    ),
    'sign out': await count('sign out', () => ada.send('POST', '/auth/sign-out')),
    'sign in': await count('sign in', () =>
      ada.send('POST', '/auth/sign-in', { email: 'ada@lighthouse.dev', password: changed.newPassword }),
    ),
  }
}

/** A schema that takes everything. */
const anything = {
  '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value }) },
} as const

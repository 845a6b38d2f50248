import type { SimPostgres } from './postgres.ts'
import type { Book } from './scenario.ts'

/** What is wrong with the world after all has come to rest; nothing is wrong with a good one. */
export async function judge(
  postgres: SimPostgres,
  book: Book,
  from: number,
  until: number,
): Promise<string[]> {
  const wrong: string[] = []
  const none = async (what: string, text: string, values: unknown[] = []): Promise<void> => {
    const rows = await postgres.ask<Record<string, unknown>>(text, values)
    if (rows.length > 0) wrong.push(`${what}: ${JSON.stringify(rows.slice(0, 3))}`)
  }
  await none(
    'a job has not ended',
    `select id, type, state, attempt, failure, run_at, waits_for from breakwater.jobs where state not in ('done', 'dead', 'cancelled')`,
  )
  await none(
    'an effect has not happened exactly once',
    `select j.id, j.type, j.state, count(l.job)::int as effects from breakwater.jobs j left join sim.ledger l on l.job = j.id
      where j.type <> 'stepped' group by j.id having count(l.job) <> (case when j.state = 'done' then 1 else 0 end)`,
  )
  await none(
    'an effect is nobody’s',
    `select * from sim.ledger where job not in (select id from breakwater.jobs)`,
  )
  await none(
    'an order and its job are not made together',
    `select o.id, j.id as job from sim.orders o full join (select * from breakwater.jobs where type = 'pay') j
      on j.id = o.job and j.input->>'order' = o.id where o.id is null or j.id is null`,
  )
  await none(
    'a key is there twice',
    `select type, key from breakwater.jobs where key is not null group by 1, 2 having count(*) > 1`,
  )
  await none(
    'a job that others knew was given up too soon',
    `select id, type, failure, attempt from breakwater.jobs
      where state = 'dead' and failure in ('unknown-type', 'unknown-version') and attempt < 3`,
  )
  await none('a lease is left', `select id from breakwater.jobs where lease_token is not null`)
  await none(
    'somebody is left in a lane',
    `select lane, holders from breakwater.job_lanes where exists
    (select from jsonb_each_text(holders) where value::float8 > $1::float8)`,
    [until / 1000 + 3600],
  )
  await none(
    'a batch was not counted down',
    `select id from breakwater.jobs where waits_for > 0 and state <> 'cancelled'`,
  )
  const ticks = await postgres.ask<{ at: string; first: string | null }>(
    `select input->>'at' as at, (select min(last_tick) from breakwater.job_schedules)::text as first from breakwater.jobs where type = 'tick' order by 1`,
  )
  const fired = ticks.map(({ at }) => Date.parse(at))
  if (new Set(fired).size !== fired.length) wrong.push('a tick has fired twice')
  const [first] = fired
  if (first !== undefined) {
    for (let at = first; at <= until - 120_000; at += 300_000) {
      if (!fired.includes(at)) wrong.push(`a tick was missed: ${new Date(at).toISOString()}`)
    }
    if (first - from > 3_600_000) wrong.push('the schedule began late')
  } else if (until - from > 1_200_000) wrong.push('no tick has fired')
  if (book.repeatedSteps > 0) wrong.push(`${book.repeatedSteps} steps were done again`)
  if (book.early > 0) wrong.push(`${book.early} batches were completed early`)
  for (const [key, ids] of book.keys) if (ids.size > 1) wrong.push(`key ${key} named ${ids.size} jobs`)
  await none(
    'a cancelled job went on',
    `select id, state from breakwater.jobs where id = any($1::uuid[]) and state <> 'cancelled'`,
    [[...book.cancelled]],
  )
  return wrong
}

import { uuidv7 } from '../core/index.ts'
import { declareInto } from '../db/critical.ts'
import type { AnyDatabase, CriticalQuery } from '../db/index.ts'
import type { JobsDatabase } from './database.ts'
import { buryCrashed } from './ending.ts'
import { member } from './fan-out.ts'
import { job } from './job.ts'
import { createJobs } from './jobs.ts'
import { enterLane, leaveLane } from './lanes.ts'
import { heartbeat, saveProgress, saveStep } from './lease.ts'
import { schedule } from './schedule.ts'
import { jobLanes, jobSchedules, jobs as table } from './schema.ts'

/** What jobs ask of Postgres, for tests of its plans. */
export const jobQueries: CriticalQuery[] = []
const critical = declareInto(jobQueries)

/** Takes any input: rows of a filled table hold what nobody wrote. */
const anything = {
  '~standard': { version: 1, vendor: 'breakwater', validate: (value: unknown) => ({ value }) },
} as const

const nothing = async (): Promise<void> => {}
const done = job('plans.done', { input: anything, transaction: false }, nothing)
const effect = job('plans.effect', { input: anything }, nothing)
const failing = job('plans.failing', { input: anything }, async () => {
  throw new Error('on purpose')
})

const of = (db: AnyDatabase): JobsDatabase => db as unknown as JobsDatabase

function jobsOn(db: AnyDatabase, schedules: readonly string[] = []) {
  return createJobs({
    db: of(db),
    queue: { send: nothing, sendBatch: nothing },
    reporter: { captureException() {}, captureMessage() {} },
    jobs: [done, effect, failing],
    schedules: schedules.map((name) => schedule(name, { cron: '* * * * *', job: done, input: {} })),
  })
}

critical('jobs.enqueue', (db) => jobsOn(db).enqueue(done, {}, { key: uuidv7() }))
critical('jobs.enqueue-many', (db) => jobsOn(db).enqueueMany(done, [{}, {}, {}]))
critical('jobs.enqueue-debounced', async (db) => {
  const debounce = { key: uuidv7(), wait: '1 m' } as const
  await jobsOn(db).enqueue(done, {}, { debounce })
  await jobsOn(db).enqueue(done, {}, { debounce })
})
critical('jobs.batch', async (db) => {
  const jobs = jobsOn(db)
  const id = await jobs.batch([member(done, {}), member(effect, {})], { after: member(done, {}) })
  for (const { id: one } of await jobs.list({ batch: id })) await jobs.run(one)
})
critical('jobs.run', async (db) => {
  const jobs = jobsOn(db)
  return jobs.run(await jobs.enqueue(done, {}))
})
critical('jobs.run-in-transaction', async (db) => {
  const jobs = jobsOn(db)
  return jobs.run(await jobs.enqueue(effect, {}))
})
critical('jobs.fail', async (db) => {
  const jobs = jobsOn(db)
  return jobs.run(await jobs.enqueue(failing, {}))
})
critical('jobs.run-what-is-over', async (db, pick) => jobsOn(db).run(await pick(table.id)))
critical('jobs.hold', async (db, pick) => {
  const claim = { id: await pick(table.id), token: uuidv7() }
  await heartbeat(of(db), [claim], [claim.id])
  await saveStep(of(db), claim as never, 'step', {})
  await saveProgress(of(db), claim as never, { done: 1 })
})
critical('jobs.lane', async (db, pick) => {
  const limit = { concurrency: 3, interval: 1000, burst: 2 }
  const lane = await pick(jobLanes.lane)
  const id = uuidv7()
  await enterLane(of(db), lane, id, 60_000, limit)
  await enterLane(of(db), lane, uuidv7(), 60_000, { ...limit, interval: 3_600_000 })
  await leaveLane(of(db), lane, id)
})
critical('jobs.tick', async (db, pick) => jobsOn(db, [await pick(jobSchedules.name)]).tick())
critical('jobs.sweep', (db) => jobsOn(db).sweep())
critical('jobs.relay', (db) => jobsOn(db).relay())
critical('jobs.dead-letters', async (db, pick) => buryCrashed(of(db), [await pick(table.id)]))
critical('jobs.status', async (db, pick) => jobsOn(db).status(await pick(table.id)))
critical('jobs.list', (db) => jobsOn(db).list({ limit: 50 }))
critical('jobs.list-batch', async (db, pick) => jobsOn(db).list({ batch: await pick(table.batchId) }))
for (const state of ['pending', 'running', 'dead'] as const)
  critical(`jobs.list-${state}`, (db) => jobsOn(db).list({ state, limit: 50 }))
critical('jobs.replay', async (db, pick) => jobsOn(db).replay({ ids: [await pick(table.id)] }))
critical('jobs.cancel', async (db, pick) => jobsOn(db).cancel({ ids: [await pick(table.id)] }))
critical('jobs.cancel-type', (db) => jobsOn(db).cancel({ type: 'mail-7' }))
critical('jobs.cancel-batch', async (db, pick) => jobsOn(db).cancel({ batch: await pick(table.batchId) }))
critical('jobs.discard', (db) => jobsOn(db).discard({ state: 'dead', type: 'mail-7' }))

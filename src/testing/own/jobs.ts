import { uuidv7 } from '../../core/index.ts'
import type { AnyDatabase, CriticalSource } from '../../db/index.ts'
import { job } from '../../jobs/job.ts'
import { createJobs } from '../../jobs/jobs.ts'
import { jobs as table } from '../../jobs/schema.ts'

/** Takes any input: rows of a filled table hold what nobody wrote. */
const anything = {
  '~standard': { version: 1, vendor: 'breakwater', validate: (value: unknown) => ({ value }) },
} as const

function jobsOn(db: AnyDatabase) {
  const nothing = async (): Promise<void> => {}
  const mail = job('plans.mail', { input: anything }, nothing)
  const failing = job('plans.failing', { input: anything }, async () => {
    throw new Error('on purpose')
  })
  const jobs = createJobs({
    db: db as never,
    queue: { send: nothing, sendBatch: nothing },
    reporter: { captureException() {}, captureMessage() {} },
    jobs: [mail, failing],
  })
  return { jobs, mail, failing }
}

/** What jobs ask of Postgres, by what is done. */
export const jobQueries: Readonly<Record<string, CriticalSource>> = {
  'jobs.enqueue': (db) => {
    const { jobs, mail } = jobsOn(db)
    return jobs.enqueue(mail, {}, { key: uuidv7() })
  },
  'jobs.run': async (db) => {
    const { jobs, mail } = jobsOn(db)
    return jobs.run(await jobs.enqueue(mail, {}))
  },
  'jobs.fail': async (db) => {
    const { jobs, failing } = jobsOn(db)
    return jobs.run(await jobs.enqueue(failing, {}))
  },
  'jobs.run-what-is-over': async (db, pick) => jobsOn(db).jobs.run(await pick(table.id)),
  'jobs.sweep': (db) => jobsOn(db).jobs.sweep(),
  'jobs.relay': (db) => jobsOn(db).jobs.relay(),
  'jobs.list': (db) => jobsOn(db).jobs.list({ limit: 50 }),
  'jobs.list-dead': (db) => jobsOn(db).jobs.list({ state: 'dead', limit: 50 }),
  'jobs.replay': async (db, pick) => jobsOn(db).jobs.replay({ ids: [await pick(table.id)] }),
  'jobs.cancel': async (db, pick) => jobsOn(db).jobs.cancel({ ids: [await pick(table.id)] }),
}

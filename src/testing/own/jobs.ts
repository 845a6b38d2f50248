import { uuidv7 } from '../../core/index.ts'
import type { AnyDatabase, CriticalSource, PickValue } from '../../db/index.ts'
import type { JobsDatabase } from '../../jobs/database.ts'
import { listJobs, pruneJobs, replayJobs } from '../../jobs/manage.ts'
import { jobs } from '../../jobs/schema.ts'
import {
  bury,
  buryCrashed,
  type Claim,
  claim,
  finish,
  insertStatement,
  postpone,
  requeueExpired,
  takeDue,
  whyUnclaimed,
} from '../../jobs/store.ts'

const of = (db: AnyDatabase): JobsDatabase => db as unknown as JobsDatabase

const anyJob = async (pick: PickValue): Promise<Claim> => ({
  id: await pick(jobs.id),
  token: uuidv7(),
  type: 'mail',
  version: 1,
  input: {},
  attempt: 1,
  maxAttempts: 5,
})

const failure = { failure: 'Error', failureDetail: null }

/** What jobs ask of Postgres. */
export const jobQueries: Readonly<Record<string, CriticalSource>> = {
  'jobs.enqueue': (db, _pick) =>
    insertStatement(of(db), {
      id: uuidv7(),
      type: 'mail',
      version: 1,
      input: {},
      key: uuidv7(),
      delay: 0,
      maxAttempts: 5,
      leaseMs: 60_000,
      traceparent: undefined,
    }),
  'jobs.claim': async (db, pick) => claim(of(db), await pick(jobs.id)),
  'jobs.why-unclaimed': async (db, pick) => whyUnclaimed(of(db), await pick(jobs.id)),
  'jobs.finish': async (db, pick) => finish(of(db), await anyJob(pick)),
  'jobs.postpone': async (db, pick) => postpone(of(db), await anyJob(pick), 1000, failure),
  'jobs.bury': async (db, pick) => bury(of(db), await anyJob(pick), failure),
  'jobs.bury-crashed': (db) => buryCrashed(of(db)),
  'jobs.requeue-expired': (db) => requeueExpired(of(db)),
  'jobs.take-due': (db) => takeDue(of(db), 100),
  'jobs.list': (db) => listJobs(of(db), { limit: 50 }),
  'jobs.list-dead': (db) => listJobs(of(db), { state: 'dead', limit: 50 }),
  'jobs.replay': async (db, pick) => replayJobs(of(db), { ids: [await pick(jobs.id)] }),
  'jobs.prune': (db) => pruneJobs(of(db), { done: 7 * 86_400_000, dead: 30 * 86_400_000 }, 100),
}

import { AUTH_MAIL_JOB, type Auth } from 'breakwater/auth'
import { type AnyJob, job } from 'breakwater/jobs'
import { PROCESS_JOB, type Uploads } from 'breakwater/uploads'
import * as v from 'valibot'

/** What the jobs of this app do, given by whoever owns it. */
export interface JobWork {
  readonly deliverMail: Auth['deliver']
  readonly processUpload: Uploads['process']
}

/** Every job of this app. Both have their effect outside of one transaction and are safe to repeat. */
export function defineJobs(work: JobWork): AnyJob[] {
  return [
    job(
      AUTH_MAIL_JOB,
      { input: v.record(v.string(), v.string()), transaction: false, timeout: '30 s' },
      ({ input, signal }) => work.deliverMail(input, { signal }),
    ),
    job(
      PROCESS_JOB,
      { input: v.object({ id: v.pipe(v.string(), v.uuid()) }), transaction: false, timeout: '2 m' },
      async ({ input, signal }) => {
        await work.processUpload(input.id, { signal })
      },
    ),
  ]
}

import { and, eq, sql } from 'drizzle-orm'
import type { JobsDatabase } from './database.ts'
import { finish } from './ending.ts'
import { LeaseLost } from './errors.ts'
import { type Claim, claimed } from './lease.ts'
import { type Attempt, type Consumer, execute, failed, wake } from './run.ts'
import { jobs } from './schema.ts'
import type { Perform } from './steps.ts'
import type { WorkflowParams } from './workflow-start.ts'

/** How a step of a workflow is carried out. */
export interface WorkflowStepOptions {
  readonly retries: { readonly limit: number; readonly delay: number }
  /** Milliseconds. */
  readonly timeout: number
}

/** The part of a `WorkflowStep` that jobs use. */
export interface WorkflowSteps {
  // biome-ignore lint/suspicious/noExplicitAny: the platform's own type wants a serialisable result.
  do(name: string, options: WorkflowStepOptions, fn: () => Promise<any>): Promise<any>
}

/**
 * Runs a step as one of the workflow's. Retries are the job's, not the step's, and its time is the job's: by default a
 * workflow would try a step again for minutes, and end it after ten.
 */
function performBy(steps: WorkflowSteps, timeout: number): Perform {
  return async <T>(name: string, fn: () => Promise<T>): Promise<T> => {
    let thrown: { readonly error: unknown } | undefined
    try {
      return (await steps.do(name, { retries: { limit: 0, delay: 0 }, timeout }, async () => {
        try {
          return await fn()
        } catch (error) {
          thrown = { error }
          throw error
        }
      })) as T
    } catch (error) {
      // On its way through the engine an error loses its class, which says whether it is for good.
      throw thrown?.error ?? error
    }
  }
}

/** The row of a job that a workflow holds, its lease now as long as the job may take. */
async function begin(
  db: JobsDatabase,
  { id, token }: WorkflowParams,
  ms: number,
): Promise<Claim | undefined> {
  const [row] = await db
    .update(jobs)
    .set({ leaseUntil: sql`now() + ${ms}::double precision * interval '1 millisecond'` })
    .where(and(eq(jobs.id, id), eq(jobs.leaseToken, token)))
    .returning(claimed)
  return row && { ...row, token, batched: row.batchId !== null }
}

/**
 * One attempt of a job, as a workflow: every `step` is one of the workflow's and survives its restarts, and is kept in
 * the job's row as well, for the next attempt. Retries, dead letters and replays stay those of every other job.
 */
export async function runWorkflow(
  consumer: Consumer,
  params: WorkflowParams,
  steps: WorkflowSteps,
): Promise<Attempt['outcome']> {
  const { token } = params
  const look = { retries: { limit: 5, delay: 10_000 }, timeout: 60_000 }
  const type = await steps.do('breakwater: look', look, async () => {
    const [row] = await consumer.db.select({ type: jobs.type }).from(jobs).where(eq(jobs.id, params.id))
    return row?.type ?? null
  })
  const def = consumer.jobs.get(String(type))
  if (def === undefined) return 'skipped'
  // Not a remembered step: after a restart the row is read anew, with what later steps have left in it.
  const claim = await begin(consumer.db, { id: params.id, token }, def.timeout + 60_000)
  if (claim === undefined) return 'skipped'
  try {
    await execute(consumer, def, claim, {
      // Nobody looks while it runs: the fence at its end does.
      loss: { lost: false, onLoss: undefined },
      perform: performBy(steps, def.timeout),
      finish: async () => {
        const { done, ready } = await finish(consumer.db, [claim])
        if (done.size === 0) throw new LeaseLost()
        await wake(consumer, ready)
        return true
      },
    })
    return 'done'
  } catch (error) {
    return (await failed(consumer, def, claim, error)).outcome
  }
}

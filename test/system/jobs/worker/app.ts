import { WorkflowEntrypoint } from 'cloudflare:workers'
import { createDatabase } from 'breakwater/db'
import { createJobs, type Jobs, job, PermanentError } from 'breakwater/jobs'
import { sql } from 'drizzle-orm'
import { z } from 'zod'

interface Env {
  readonly DATABASE_URL: string
  readonly NEON_ENDPOINT: string
  /** What counts effects outside of the database. */
  readonly OUTSIDE: string
  readonly JOBS: Queue
  readonly LONG: Workflow
}

const nothing = z.object({})

const outside = async (env: Env, path: string): Promise<void> => {
  await (await fetch(`${env.OUTSIDE}/${path}`, { method: 'POST' })).text()
}

/** Jobs of three kinds: an effect in the database, one outside of it, and one that takes longer than a worker. */
function jobsOf(env: Env): Jobs {
  const effect = job('effect', { input: nothing, timeout: '5 s' }, async ({ tx, id }) => {
    await tx.execute(sql`insert into public.ledger (job) values (${id}::uuid)`)
    // In the middle of it: what was written is not committed yet.
    await tx.execute(sql`select pg_sleep(0.15)`)
  })
  const mail = job('mail', { input: nothing, timeout: '5 s', transaction: false }, async ({ step }) => {
    await step('send', ({ key }) => outside(env, `mail/${key}`))
  })
  const long = job(
    'long',
    {
      input: z.object({ trouble: z.enum(['none', 'once', 'for good']) }),
      timeout: '2 h',
      runsOn: 'workflow',
      retry: { base: 1, max: 1 },
    },
    async ({ step, attempt, input }) => {
      await step('charge', async ({ key }) => {
        await outside(env, `charge/${key}`)
        return { charged: true }
      })
      await step('ship', async ({ key }) => {
        if (input.trouble === 'for good') throw new PermanentError('There is no such address')
        if (input.trouble === 'once' && attempt === 1) throw new Error('The carrier is closed')
        await outside(env, `ship/${key}`)
      })
    },
  )
  return createJobs({
    db: createDatabase({ url: env.DATABASE_URL, endpoint: env.NEON_ENDPOINT }),
    queue: env.JOBS,
    jobs: [effect, mail, long],
    workflow: env.LONG,
    reporter: { captureException: () => {}, captureMessage: () => {} },
  })
}

const inputs: Readonly<Record<string, (url: URL) => unknown>> = {
  effect: () => ({}),
  mail: () => ({}),
  long: (url) => ({ trouble: url.searchParams.get('trouble') ?? 'none' }),
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url)
    const ids: string[] = []
    const type = url.pathname.slice(1)
    for (let i = 0; i < Number(url.searchParams.get('count') ?? 1); i++) {
      ids.push(await jobsOf(env).byName(type, inputs[type]?.(url)))
    }
    return Response.json(ids)
  },
  async queue(batch: MessageBatch, env: Env): Promise<void> {
    const jobs = jobsOf(env)
    await (batch.queue.endsWith('-dead') ? jobs.consumeDead(batch) : jobs.consume(batch))
  },
  async scheduled(_: ScheduledController, env: Env): Promise<void> {
    await jobsOf(env).cron()
  },
}

export class Long extends WorkflowEntrypoint<Env, { id: string; token: string }> {
  override async run(
    event: Readonly<{ payload: { id: string; token: string } }>,
    step: never,
  ): Promise<string> {
    return jobsOf(this.env).runWorkflow(event.payload, step)
  }
}

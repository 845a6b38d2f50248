import { BreakwaterError } from 'breakwater/core'
import { Hono } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'
import type { Services } from './services.ts'

/** What operators do by HTTP, for holders of `OPS_TOKEN`. */
export function operations({ env, backup, jobs }: Services) {
  return (
    new Hono()
      .use(bearerAuth({ token: env.OPS_TOKEN, realm: 'operations' }))
      // A backup now, as before a risky migration; the nightly one comes by cron.
      .post('/backup', async (c) => {
        const result = await backup.run({ signal: c.req.raw.signal })
        if (result.status === 'already-running') {
          throw new BreakwaterError('conflict', { status: 409, detail: 'A backup is under way.' })
        }
        return c.json(result, 201)
      })
      .get('/backup/latest', async (c) => c.json((await backup.latest()) ?? null))
      .get('/jobs', async (c) =>
        c.json({ counts: await jobs.counts(), dead: await jobs.list({ state: 'dead' }) }),
      )
      .post('/jobs/:id/replay', async (c) => {
        const replayed = await jobs.replay({ ids: [c.req.param('id')] })
        if (replayed.length === 0) throw new BreakwaterError('not-found', { status: 404 })
        return c.json({ replayed }, 202)
      })
  )
}

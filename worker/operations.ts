import { BreakwaterError } from 'breakwater/core'
import { Hono } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'
import type { Services } from './services.ts'

const notFound = () => new BreakwaterError('not-found', { status: 404 })

/** What operators do by HTTP, for holders of `OPS_TOKEN`. */
export function operations({ env, accounts, auth, backup, jobs }: Services) {
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
        if (replayed.length === 0) throw notFound()
        return c.json({ replayed }, 202)
      })
      // One session of somebody's, or all of them (ASVS 7.4.5).
      .get('/users/:id/sessions', async (c) => c.json(await auth.listSessions(c.req.param('id'))))
      .delete('/users/:id/sessions', async (c) =>
        c.json({ ended: await auth.endSessions(c.req.param('id')) }),
      )
      .delete('/users/:id/sessions/:session', async (c) => {
        if (!(await auth.endSession(c.req.param('id'), c.req.param('session')))) throw notFound()
        return c.body(null, 204)
      })
      .get('/users/:id/events', async (c) => c.json(await accounts.listEvents(c.req.param('id'))))
      .post('/users/:id/disable', async (c) => {
        if (!(await accounts.disableUser(c.req.param('id')))) throw notFound()
        return c.body(null, 204)
      })
      .post('/users/:id/enable', async (c) => {
        if (!(await accounts.enableUser(c.req.param('id')))) throw notFound()
        return c.body(null, 204)
      })
  )
}

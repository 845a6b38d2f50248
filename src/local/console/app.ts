import { Hono } from 'hono'
import { parseFaults } from '../faults.ts'
import { fromHere } from '../page.ts'
import type { StandIn, StandInApp } from '../server.ts'
import { BUTTONS } from './buttons.ts'
import { consolePage, type WorkerStatus } from './pages.ts'

/** Options of {@link createConsoleApp}. */
export interface ConsoleOptions {
  /** Origin of the worker, if it runs. */
  readonly worker: string | undefined
  /** The worker's cron expressions. */
  readonly crons: readonly string[]
  readonly postgres: { readonly url: string; readonly comesAlong: boolean }
  /** The folder that holds the state. */
  readonly state: string
  readonly standIns: readonly StandIn[]
}

/**
 * The console: where everything is, how it is doing, and buttons for faults and crons.
 * `GET /api/status` gives the same as JSON.
 */
export function createConsoleApp(options: ConsoleOptions): StandInApp {
  const app = new Hono()
  const find = (name: string): StandIn | undefined =>
    options.standIns.find((standIn) => standIn.name === name)

  app.use(async (c, next) => {
    if (c.req.method !== 'GET' && !fromHere(c.req.raw)) return c.text('Not from another site.\n', 403)
    return next()
  })
  app.get('/', async () => consolePage(options, await workerStatus(options.worker)))
  app.get('/api/status', async (c) =>
    c.json({
      worker:
        options.worker === undefined
          ? null
          : { url: options.worker, ...(await workerStatus(options.worker)) },
      parts: options.standIns.map((standIn) => ({
        name: standIn.name,
        url: standIn.url,
        faults: standIn.faults.list(),
        stats: standIn.stats(),
      })),
    }),
  )
  app.post('/faults/:part', async (c) => {
    const standIn = find(c.req.param('part'))
    const { fault } = await c.req.parseBody()
    const wanted = typeof fault === 'string' && Object.hasOwn(BUTTONS, fault) ? BUTTONS[fault] : undefined
    if (!standIn) return c.notFound()
    if (wanted) standIn.faults.add(parseFaults(wanted))
    else standIn.faults.clear()
    return c.redirect('/', 303)
  })
  app.post('/crons', async (c) => {
    const { cron } = await c.req.parseBody()
    if (options.worker === undefined || typeof cron !== 'string' || !options.crons.includes(cron))
      return c.notFound()
    const url = new URL('/cdn-cgi/handler/scheduled', options.worker)
    url.searchParams.set('cron', cron)
    await fetch(url, { signal: AbortSignal.timeout(30_000) }).then(
      (response) => response.text(),
      () => undefined,
    )
    return c.redirect('/', 303)
  })

  return { name: 'console', fetch: (request) => app.fetch(request) }
}

async function workerStatus(url: string | undefined): Promise<WorkerStatus> {
  if (url === undefined) return { answers: false }
  const began = performance.now()
  try {
    const response = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(1500), redirect: 'manual' })
    await response.body?.cancel()
    return { answers: true, status: response.status, milliseconds: Math.round(performance.now() - began) }
  } catch {
    return { answers: false }
  }
}

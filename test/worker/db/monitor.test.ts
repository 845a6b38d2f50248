import { type ReportHint, requestContext, span } from 'breakwater/core'
import { queryMonitor } from 'breakwater/db-health'
import { Hono } from 'hono'
import { expect, it } from 'vitest'

function app(options: Parameters<typeof queryMonitor>[0] = {}) {
  const told: { message: string; hint: ReportHint | undefined }[] = []
  const reporter = {
    captureMessage: (message: string, hint?: ReportHint) => void told.push({ message, hint }),
  }
  const query = (name: string, ms = 0) =>
    span('db.query', name, () => new Promise((resolve) => setTimeout(resolve, ms)), { rows: 3 })
  const routes = new Hono()
    .use(requestContext())
    .use(queryMonitor({ reporter, quiet: 60_000, ...options }))
    .get('/orders/:id', async (c) => {
      await query('select * from orders where id = ?')
      for (let i = 0; i < 12; i++) await query(`select * from ${c.req.param('id')} where order_id = ?`)
      return c.text('fine')
    })
    .get('/slow', async (c) => {
      await query('select "weird\\" ü from t', 60)
      return c.text('fine')
    })
    .get('/quick', async (c) => {
      for (let i = 0; i < 20; i++) await query('begin')
      await query('select 1')
      return c.text('fine')
    })
  return { routes, told }
}

it('names the statement that a request repeats, with its route and without its path, once', async () => {
  const { routes, told } = app()
  await routes.request('/orders/lines')
  await routes.request('/orders/lines')
  expect(told.map(({ message }) => message)).toEqual(['N+1: one statement ran 12 times in GET /orders/:id'])
  expect(told[0]?.hint?.extra).toMatchObject({
    statement: 'select * from lines where order_id = ?',
    count: 12,
    rows: 36,
  })
  expect(told[0]?.hint?.fingerprint).toContain('GET /orders/:id')
})

it('tells of slow statements, and not of quick ones or of transactions', async () => {
  const { routes, told } = app({ slow: 40 })
  await routes.request('/quick')
  expect(told).toEqual([])
  await routes.request('/slow')
  expect(told.map(({ hint }) => hint?.tags)).toEqual([{ kind: 'slow-query', where: 'GET /slow' }])
})

it('shows statements to the browser only where it is told to', async () => {
  const hidden = await app().routes.request('/quick')
  expect(hidden.headers.get('Server-Timing')).toBeNull()
  const shown = await app({ serverTiming: true }).routes.request('/orders/parts')
  const header = shown.headers.get('Server-Timing') ?? ''
  expect(header).toMatch(/^db;dur=[\d.]+;desc="13 round trips", /)
  expect(header).toContain('12x 36 rows select * from parts where order_id = ?')
  const weird = await app({ serverTiming: true, slow: 1000 }).routes.request('/slow')
  expect(weird.headers.get('Server-Timing')).toMatch(/^[\x20-\x7e]+$/)
})

it('refuses wrong options when it is built', () => {
  expect(() => queryMonitor({ repeated: 1 })).toThrow(TypeError)
})

import { memory, rateLimit } from 'breakwater/rate-limit'
import { Hono } from 'hono'

// An app of somebody else's that takes one middleware and nothing more.
const app = new Hono()
  .use(rateLimit({ limiter: { store: memory() } }))
  .get('/hello', (c) => c.text(`hello from outside, ${c.var.rateLimit.decisions.length} decision`))

export default app

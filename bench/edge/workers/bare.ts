import { Hono } from 'hono'

/** The floor: Hono and nothing else. */
export default new Hono().get('/me', (c) => c.json({ id: 'u1', email: 'a@example.com' }))

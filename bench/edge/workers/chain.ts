import { breakwater, guard } from 'breakwater'
import { type AuthEnv, requireUser } from 'breakwater/auth'
import { captureMiddleware } from 'breakwater/capture'
import { problems, type RequestContextEnv, requestContext } from 'breakwater/core'
import { log } from 'breakwater/log'
import { type RateLimitEnv, rateLimit } from 'breakwater/rate-limit'
import { secure } from 'breakwater/secure'
import { Hono } from 'hono'
import * as parts from './parts.ts'

/** Everything the reference worker puts around a route, in its order. */
const limiter = parts.limiter()
const auth = parts.auth(limiter)

const app = new Hono<RequestContextEnv & RateLimitEnv & AuthEnv>()
  .use(captureMiddleware())
  .use(requestContext())
  .use(log())
  .use(secure({ csrf: { origins: ['http://localhost'] } }))
  .use(guard({ limits: rateLimit({ limiter }), auth }))
  .get('/me', requireUser(), (c) => c.json(c.var.user))

export default breakwater({ app: problems(app), capture: parts.capture() })

import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { BreakwaterError } from '../core/index.ts'
import type { AuthSource } from './auth.ts'
import type { AuthEnv } from './middleware.ts'
import { sameOrigin } from './same-origin.ts'

const MAX_BODY = 16 * 1024

const tooLarge = () =>
  new BreakwaterError('payload-too-large', { status: 413, detail: `At most ${MAX_BODY} bytes.` })

/** What all endpoints of this room have in common: no cache keeps them, no other site calls them, bodies are small. */
export function endpoints(source: AuthSource): Hono<AuthEnv> {
  return new Hono<AuthEnv>()
    .use(async function noStore(c, next) {
      await next()
      c.header('Cache-Control', 'no-store')
    })
    .use(sameOrigin(source))
    .use(
      bodyLimit({
        maxSize: MAX_BODY,
        onError: () => {
          throw tooLarge()
        },
      }),
    )
}

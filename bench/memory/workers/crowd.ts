import { uuidv7 } from 'breakwater/core'
import { sealIdentity } from '../../../src/auth/session-cache.ts'
import { findSession } from '../../../src/auth/session-store.ts'
import { formatToken, randomSecret } from '../../../src/auth/token.ts'
import chain from '../../edge/workers/chain.ts'
import { SECRET } from '../../edge/workers/parts.ts'
import { database, token as person } from '../../edge/workers/person.ts'

/** Lets a crowd loose on the chain, within its own isolate: everybody comes once, from an address of their own. */
export default {
  async fetch(request: Request, env: unknown, context: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname !== '/crowd') return new Response('ok')
    const count = Number(searchParams.get('count'))
    const from = Number(searchParams.get('from'))
    for (let i = from; i < from + count; i++) {
      const reply = await chain.fetch(await somebody(i), env, context)
      // Every tenth is nobody in particular.
      if (reply.status !== (i % 10 === 0 ? 401 : 200)) return reply
      await reply.arrayBuffer()
    }
    return new Response('done')
  },
}

const DAY = 86_400_000
let found: Awaited<ReturnType<typeof findSession>>

async function somebody(i: number): Promise<Request> {
  const headers: Record<string, string> = {
    'cf-connecting-ip':
      i % 2 === 0 ? ipv4(i) : `2001:db8:${(i >> 16).toString(16)}:${(i & 65535).toString(16)}::1`,
    traceparent: `00-${i.toString(16).padStart(31, '0')}1-${i.toString(16).padStart(15, '0')}1-01`,
  }
  if (i % 10 !== 0) {
    const id = uuidv7()
    const token = formatToken({ id, secret: randomSecret() })
    // As the stand-in for the database knows somebody, but for who it is.
    found ??= await findSession(database, person, { idle: DAY, absolute: DAY, touchEvery: DAY })
    if (found === undefined) throw new Error('The stand-in for the database knows nobody')
    const user = { ...found.user, id: uuidv7(), email: `person-${i}@example.com` }
    const session = { ...found.session, id, userId: user.id }
    const cache = await sealIdentity([SECRET], token, { user, session }, Date.now())
    headers['cookie'] = `__Host-session=${token}; __Host-session-cache=${cache}`
  }
  return new Request(`http://localhost/me?q=${i}`, { headers })
}

const ipv4 = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`

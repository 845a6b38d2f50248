import type { Hono } from 'hono'
import { insideOf } from '../auth.ts'
import { endpoints } from '../endpoints.ts'
import { unauthenticated } from '../errors.ts'
import { body, type Field } from '../input.ts'
import { type AuthEnv, requireFresh, requireUser, session } from '../middleware.ts'
import { visitorOf } from '../visitor.ts'
import type { ApiKeys } from './api-keys.ts'
import { noSuchKey, tooManyKeys } from './errors.ts'
import { type ApiKeyJson, type ApiKeySchema, keyJson } from './routes-schema.ts'

const name: Field<string> = (value) =>
  typeof value === 'string' && value.trim() !== '' && value.length <= 100 && !/\p{Cc}/u.test(value)
    ? { value: value.trim() }
    : { fault: 'must be a text of 1 to 100 characters' }

/** Some of the scopes there are. */
const among =
  <Scope extends string>(scopes: readonly Scope[]): Field<Scope[]> =>
  (value) =>
    Array.isArray(value) && value.length > 0 && value.every((one) => scopes.includes(one as Scope))
      ? { value: value as Scope[] }
      : { fault: `must be a list of these: ${scopes.join(', ')}` }

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i

/** When a key ends, as far as it may. */
const end =
  (lifetime: number | undefined): Field<Date | undefined> =>
  (value) => {
    if (value === undefined) return { value }
    const at = typeof value === 'string' && RFC3339.test(value) ? Date.parse(value) : Number.NaN
    const now = Date.now()
    if (!(at > now)) return { fault: 'must be a time to come, as RFC 3339 writes it' }
    if (lifetime !== undefined && at > now + lifetime) {
      return { fault: `must be before ${new Date(now + lifetime).toISOString()}` }
    }
    return { value: new Date(at) }
  }

/**
 * The endpoints by which people manage their API keys: `app.route('/api-keys', apiKeyRoutes(keys))`. Typed for
 * `hc`. Making and revoking one asks for a fresh session; no key opens them.
 *
 * @param keys what `createApiKeys` made.
 */
export function apiKeyRoutes<Scope extends string>(
  keys: ApiKeys<Scope>,
): Hono<AuthEnv, ApiKeySchema<Scope>, '/'> {
  const { auth } = keys
  const { config } = insideOf(auth)
  const input = body({ name, scopes: among(keys.scopes), expiresAt: end(keys.lifetime) })
  return endpoints(auth)
    .get('/', session(auth), requireUser(), async (c) => {
      const list = await keys.list(c.var.user.id)
      return c.json({ apiKeys: list.map(keyJson) as ApiKeyJson<Scope>[] }, 200)
    })
    .post('/', session(auth), requireFresh(), input, async (c) => {
      const { id: sessionId, userId } = c.var.session
      const visitor = visitorOf(c, config.clientAddress)
      const made = await keys.create({ userId, ...c.req.valid('json') }, { visitor, sessionId })
      if (made === undefined) throw unauthenticated()
      if (made === 'full') throw tooManyKeys(keys.perUser)
      return c.json({ key: made.key, apiKey: keyJson(made.apiKey) as ApiKeyJson<Scope> }, 201)
    })
    .delete('/:id', session(auth), requireFresh(), async (c) => {
      const { id: sessionId, userId } = c.var.session
      const visitor = visitorOf(c, config.clientAddress)
      if ((await keys.revoke(userId, c.req.param('id'), { visitor, sessionId })) === 0) throw noSuchKey()
      return c.body(null, 204)
    }) as unknown as Hono<AuthEnv, ApiKeySchema<Scope>, '/'>
}

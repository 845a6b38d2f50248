import type { Context } from 'hono'
import { currentWork, type Duration, isBreakwaterError, milliseconds, uuidv7 } from '../../core/index.ts'
import { slot } from '../../core/slot.ts'
import { bearerOf } from '../access-token.ts'
import { type Auth, insideOf } from '../auth.ts'
import type { AuthConfig } from '../config.ts'
import { unavailable } from '../errors.ts'
import { after } from '../hooks.ts'
import { notify } from '../mailing.ts'
import { isUuid } from '../token.ts'
import { runLater, type Visitor } from '../visitor.ts'
import { invalidKey } from './errors.ts'
import { hashKey, isKey, KEY_PREFIX, newKey, startOf } from './key.ts'
import { type ApiKey, findKey, insertKey, type KeyIdentity, listKeys, revokeKeys, touchKey } from './store.ts'

/** Options of {@link createApiKeys}. */
export interface ApiKeysOptions<Scope extends string = string> {
  /** Every scope there is, in the application's own words, such as `reports:read`. No spaces. */
  readonly scopes: readonly [Scope, ...Scope[]]
  /**
   * What keys begin with, so that people and secret scanners know them: 1 to 15 small letters and digits, and `_`.
   * Default `bwk_`. Keys of an earlier prefix are no longer taken.
   */
  readonly prefix?: string
  /**
   * How long an isolate believes what the database said of a key; at most 60 s. A key that was revoked, and one whose
   * account was disabled or closed, works that much longer. Default: the database is asked at each request.
   */
  readonly staleness?: Duration
  /** The longest that a key may last, and how long it does where nobody says. Default 365 days; or `'unlimited'`. */
  readonly lifetime?: Duration | 'unlimited'
  /** Live keys of one person. Default 50. */
  readonly perUser?: number
}

/** What a new key shall be. */
export interface KeyRequest<Scope extends string = string> {
  readonly userId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Default: after the option `lifetime`. */
  readonly expiresAt?: Date | undefined
}

/** Who asks for something, for the audit record. */
export interface AskedBy {
  readonly visitor: Visitor
  readonly sessionId: string
}

/** A key that was just made. */
export interface MadeKey {
  /** The key itself, given here and never again. */
  readonly key: string
  readonly apiKey: ApiKey
}

/** API keys of an application. */
export interface ApiKeys<Scope extends string = string> {
  /** Whose accounts they are of. */
  readonly auth: Auth
  readonly scopes: readonly Scope[]
  /** Milliseconds that a key may last at most; undefined for unlimited. */
  readonly lifetime: number | undefined
  readonly perUser: number
  /**
   * Whose key a request came with; undefined when it came with none. Asks once a request, however often it is called.
   * @throws BreakwaterError `unauthenticated` when it is not valid, `dependency-unavailable` when that cannot be known
   */
  identify(c: Context): Promise<KeyIdentity | undefined>
  /**
   * Makes a key, and tells its owner by mail. `'full'` when the person has as many as there may be, undefined when
   * there is no such account.
   * @throws TypeError for an unknown scope, an empty name, or an end that is past or beyond `lifetime`
   */
  create(request: KeyRequest<Scope>, by?: AskedBy): Promise<MadeKey | 'full' | undefined>
  /** Somebody's keys, the newest first, those that have ended too. */
  list(userId: string): Promise<readonly ApiKey[]>
  /** Revokes one key of somebody's, or all of them. Gives the number of those that were live. */
  revoke(userId: string, id?: string, by?: AskedBy): Promise<number>
}

const MAX_STALENESS = 60_000
const MAX_CACHED = 1000
const MAX_NAME = 100

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new TypeError(`API keys: ${message}`)
}

interface Remembered extends KeyIdentity {
  readonly until: number
}

/** What an isolate knows of keys, for as long as the developer allowed. */
class Memory {
  readonly #known = new Map<string, Remembered>()
  readonly #staleness: number

  constructor(staleness: number) {
    this.#staleness = staleness
  }

  get(hash: string): KeyIdentity | undefined {
    const found = this.#known.get(hash)
    if (found === undefined) return undefined
    if (found.until > Date.now()) return { user: found.user, apiKey: found.apiKey }
    this.#known.delete(hash)
    return undefined
  }

  set(hash: string, { user, apiKey }: KeyIdentity, askedAt: number): void {
    if (this.#staleness === 0) return
    // The oldest goes; a map gives its keys in the order they came.
    const [oldest] = this.#known.keys()
    if (this.#known.size >= MAX_CACHED && oldest !== undefined) this.#known.delete(oldest)
    const end = apiKey.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
    this.#known.set(hash, { user, apiKey, until: Math.min(end, askedAt + this.#staleness) })
  }

  forget(ids: readonly string[]): void {
    for (const [hash, { apiKey }] of this.#known) if (ids.includes(apiKey.id)) this.#known.delete(hash)
  }
}

async function lookUp(config: AuthConfig, memory: Memory, key: string, c: Context): Promise<KeyIdentity> {
  const hash = await hashKey(key)
  const known = memory.get(hash)
  if (known !== undefined) return known
  const askedAt = Date.now()
  const found = await findKey(config.db, hash).catch((error: unknown) => {
    // Nothing was to be changed, so a broken line leaves nothing in doubt but who is asking.
    throw isBreakwaterError(error) && error.code !== 'outcome-unknown' ? error : unavailable(error)
  })
  if (found === undefined) throw invalidKey()
  const { due, ...identity } = found
  if (due) runLater(c, touchKey(config.db, identity.apiKey.id))
  memory.set(hash, identity, askedAt)
  return identity
}

/**
 * Makes API keys for the accounts of `auth`. Holds no connection and may live at module scope.
 * @throws TypeError when an option is wrong
 * @example
 * const keys = createApiKeys(auth, { scopes: ['reports:read', 'reports:write'], prefix: 'acme_' })
 * app.route('/api-keys', apiKeyRoutes(keys))
 * app.get('/reports', requireScope(keys, 'reports:read'), (c) => c.json(reportsOf(c.var.user)))
 */
export function createApiKeys<const Scope extends string>(
  auth: Auth,
  options: ApiKeysOptions<Scope>,
): ApiKeys<Scope> {
  const { config } = insideOf(auth)
  const { scopes, prefix = KEY_PREFIX, perUser = 50 } = options
  const staleness = milliseconds(options.staleness ?? 0)
  const lifetime = options.lifetime === 'unlimited' ? undefined : milliseconds(options.lifetime ?? '365 d')
  check(scopes.length > 0, 'there must be a scope')
  // RFC 6749, section 3.3: they travel in a header field, between quotes.
  for (const scope of scopes) check(/^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(scope), `"${scope}" is no scope`)
  check(/^[a-z][a-z0-9]{0,14}_$/.test(prefix), 'prefix is 1 to 15 small letters and digits, and _')
  check(!['bwat_', 'bwrt_'].includes(prefix), 'this prefix is that of another token')
  check(staleness <= MAX_STALENESS, 'staleness is 60 s at most')
  check(lifetime === undefined || lifetime >= 60_000, 'lifetime is a minute at least')
  check(Number.isInteger(perUser) && perUser >= 1 && perUser <= 500, 'perUser is from 1 to 500')

  const memory = new Memory(staleness)
  const asked = slot<Context, Promise<KeyIdentity | undefined>>('auth.key')

  async function ask(c: Context): Promise<KeyIdentity | undefined> {
    const key = bearerOf(c.req.header('authorization'), prefix)
    if (key === undefined) return undefined
    // A checksum that does not fit spares everybody the question.
    if (!isKey(prefix, key)) throw invalidKey()
    const identity = await lookUp(config, memory, key, c)
    const facts = currentWork()?.facts
    facts?.set('userId', identity.user.id)
    facts?.set('keyId', identity.apiKey.id)
    return identity
  }

  return {
    auth,
    scopes,
    lifetime,
    perUser,
    identify(c) {
      let answer = asked.get(c)
      if (answer === undefined) {
        answer = ask(c)
        // Started early and never awaited, a failure must not count as unhandled; whoever awaits still gets it.
        answer.catch(() => {})
        asked.set(c, answer)
      }
      return answer
    },
    async create({ userId, name, scopes: wanted, expiresAt }, by) {
      const now = Date.now()
      const end = expiresAt?.getTime() ?? (lifetime === undefined ? undefined : now + lifetime)
      check(name.trim() !== '' && name.length <= MAX_NAME, `a name has 1 to ${MAX_NAME} characters`)
      check(wanted.length > 0 && wanted.every((scope) => scopes.includes(scope)), 'no such scope')
      check(end === undefined || end > now, 'expiresAt is past')
      check(
        lifetime === undefined || (end ?? 0) <= now + lifetime,
        'expiresAt is beyond the lifetime of keys',
      )
      if (!isUuid(userId)) return undefined
      const key = newKey(prefix)
      const made = await insertKey(
        config.db,
        {
          id: uuidv7(),
          userId,
          name: name.trim(),
          start: startOf(prefix, key),
          hash: await hashKey(key),
          scopes: [...new Set(wanted)],
          expiresAt: end === undefined ? undefined : new Date(end),
          sessionId: by?.sessionId,
        },
        perUser,
        by?.visitor,
      )
      if (made === undefined || made === 'full') return made
      after(config, by?.visitor, 'api-key-created', userId, by?.sessionId)
      if (by !== undefined)
        notify(config, by.visitor, { kind: 'api-key-created', userId, noticeId: uuidv7() })
      return { key, apiKey: made }
    },
    list: async (userId) => (isUuid(userId) ? listKeys(config.db, userId) : []),
    async revoke(userId, id, by) {
      if (!isUuid(userId) || (id !== undefined && !isUuid(id))) return 0
      const gone = await revokeKeys(config.db, userId, id, by?.visitor, by?.sessionId)
      memory.forget(gone)
      if (gone.length > 0) after(config, by?.visitor, 'api-key-revoked', userId, by?.sessionId)
      return gone.length
    },
  }
}

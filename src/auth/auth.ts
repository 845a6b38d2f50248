import type { Context } from 'hono'
import { slot } from '../core/slot.ts'
import { type AuthConfig, resolveConfig } from './config.ts'
import { presented } from './cookies.ts'
import { claimed, type Identification, identify } from './identity.ts'
import { deliverMail } from './mailing.ts'
import type { AuthOptions } from './options.ts'
import { revoking } from './revoking.ts'
import { deleteSession, deleteSessions } from './session-end.ts'
import { type Identity, listSessions, type Session } from './session-store.ts'
import { isUuid } from './token.ts'
import { runLater } from './visitor.ts'

/**
 * Accounts and sessions of one application. Handed to `session()` and `authRoutes()`, which find their options
 * here: middleware, routes, the mail job and the cron of one application must agree about every one of them.
 */
export interface Auth {
  /**
   * Who is asking, or undefined. Asks once a request, however often it is called. Called in the same tick as a
   * limiter, and before anything is awaited, its question to Redis travels in the limiter's request.
   * @throws BreakwaterError `dependency-unavailable` when it cannot be known
   */
  identify(c: Context): Promise<Identity | undefined>
  /** A person's live sessions, the latest used first. */
  listSessions(userId: string): Promise<readonly Session[]>
  /** Ends one session of a person (ASVS 7.4.5). False when there is none by that id. */
  endSession(userId: string, sessionId: string): Promise<boolean>
  /** Ends every session of a person. Gives their number. */
  endSessions(userId: string): Promise<number>
  /** Whether who is asking may do something: the option `can`. False for who is not signed in. */
  can(c: Context, action: string, resource?: unknown): Promise<boolean>
  /** The handler of the job `auth.mail`: makes and sends one mail. Safe to run twice. */
  deliver(input: unknown, options?: { readonly signal?: AbortSignal }): Promise<void>
}

/** An {@link Auth}, or how to come by it from a request. It should be the same one for all requests. */
export type AuthSource = Auth | ((c: Context) => Auth)

/** What the rest of the room needs of an {@link Auth}. */
export interface AuthInternals {
  readonly config: AuthConfig
  identify(c: Context): Promise<Identification | undefined>
  /**
   * Who is asking, when nobody needs to be asked for it now, else {@link identify}. The session may have been ended a
   * moment ago: for statements that make sure of that themselves.
   */
  claim(c: Context): Promise<Identification | undefined>
}

const internals = new WeakMap<Auth, AuthInternals>()

/** The inside of an {@link Auth}. */
export function insideOf(auth: Auth): AuthInternals {
  const found = internals.get(auth)
  if (found === undefined) throw new TypeError('This is not what createAuth() made')
  return found
}

/** The inside of the {@link Auth} of a request. */
export function internalsOf(source: AuthSource, c: Context): AuthInternals {
  return insideOf(typeof source === 'function' ? source(c) : source)
}

/**
 * Makes accounts and sessions. Holds no connection and may live at module scope.
 * @throws TypeError when an option is wrong
 * @example
 * const auth = createAuth({ db, secrets: [env.SESSION_SECRET], app, limiter, mailer, enqueue })
 * const app = new Hono<AuthEnv>()
 *   .use(session(auth))
 *   .route('/auth', authRoutes(auth))
 *   .get('/me', requireUser(), (c) => c.json(c.var.user))
 */
export function createAuth(options: AuthOptions): Auth {
  const config = resolveConfig(options)
  // With the context, since middleware may replace the raw request: whoever mounts session() twice, or starts it
  // early, asks once.
  const asked = slot<Context, Promise<Identification | undefined>>('auth.identity')

  const once = (c: Context): Promise<Identification | undefined> => {
    const earlier = asked.get(c)
    if (earlier !== undefined) return earlier
    const answer = identify(config, presented(c, config), (promise) => runLater(c, promise))
    // Started early and never awaited, a failure must not count as unhandled; whoever awaits still gets it.
    answer.catch(() => {})
    asked.set(c, answer)
    return answer
  }

  const auth: Auth = {
    async identify(c) {
      const found = await once(c)
      return found && { user: found.user, session: found.session }
    },
    listSessions: async (userId) => (isUuid(userId) ? listSessions(config.db, userId, config.times) : []),
    endSession: async (userId, id) =>
      isUuid(userId) &&
      isUuid(id) &&
      revoking(config, userId, undefined, () => deleteSession(config, userId, id)),
    endSessions: async (userId) =>
      isUuid(userId) ? revoking(config, userId, undefined, () => deleteSessions(config, userId)) : 0,
    async can(c, action, resource) {
      const found = await once(c)
      return found !== undefined && config.can({ user: found.user, session: found.session }, action, resource)
    },
    deliver: (input, { signal } = {}) => deliverMail(config, input, signal),
  }
  const claim = async (c: Context) => asked.get(c) ?? (await claimed(config, presented(c, config))) ?? once(c)
  internals.set(auth, { config, identify: once, claim })
  return auth
}

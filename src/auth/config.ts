import type { Context } from 'hono'
import { type Duration, type Enqueue, type Mailer, milliseconds } from '../core/index.ts'
import { Recent } from '../core/recent.ts'
import type { AuthDatabase } from './database.ts'
import { createGate } from './hashers/gate.ts'
import { scrypt } from './hashers/scrypt.ts'
import type { AuthHooks } from './hooks.ts'
import type { Presented } from './identity.ts'
import type { Secrets } from './mail-token.ts'
import { defaultMails, type MailTemplates } from './mails.ts'
import type { AuthOptions } from './options.ts'
import { createPasswords, type Passwords } from './passwords.ts'
import type { Revocations } from './revocations.ts'
import type { SessionTimes } from './session-store.ts'
import { createThrottle, type Throttle } from './throttle.ts'

/** {@link AuthOptions}, checked and with its defaults: what the services of this room work with. */
export interface AuthConfig {
  readonly db: AuthDatabase
  readonly secrets: Secrets
  readonly app: {
    readonly name: string
    readonly origin: string
    readonly verifyPath: string
    readonly resetPath: string
    readonly confirmPath: string
    readonly words: readonly string[]
  }
  readonly throttle: Throttle
  readonly mailer: Mailer
  readonly enqueue: Enqueue | undefined
  readonly mails: MailTemplates
  readonly passwords: Passwords
  readonly minPasswordLength: number
  readonly breached: ((password: string) => Promise<boolean>) | undefined
  readonly times: SessionTimes
  readonly perUser: number
  /** `maxAge` in milliseconds. */
  readonly cache: { readonly maxAge: number; readonly revocations: Revocations | undefined } | undefined
  /** Cookies whose seal this isolate has found genuine under these secrets, by their text. */
  readonly genuine: Recent<Presented>
  /** Times in milliseconds. */
  readonly tokens:
    | { readonly access: number; readonly grace: number; readonly origins: readonly string[] }
    | undefined
  readonly hooks: AuthHooks
  readonly can: NonNullable<AuthOptions['can']>
  readonly cookieName: string
  readonly clientAddress: (c: Context) => string | undefined
}

const MINUTE = 60_000
const MIN_SECRET_LENGTH = 32
// RFC 6265bis's servers may rely on no more than 400 days; a session longer than a year is a mistake anyway.
const MAX_ABSOLUTE = 365 * 24 * 60 * MINUTE

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new TypeError(`createAuth: ${message}`)
}

function checkedOrigin(origin: string): string {
  const url = URL.parse(origin)
  check(url !== null && /^https?:$/.test(url.protocol), 'an origin must be an http or https URL')
  return url.origin
}

function checkSecrets(secrets: readonly string[], what: string): void {
  check(secrets.length > 0, `there must be a ${what}`)
  for (const secret of secrets) {
    check(secret.length >= MIN_SECRET_LENGTH, `each ${what} needs ${MIN_SECRET_LENGTH} characters at least`)
  }
}

function tokensOf({ tokens }: AuthOptions): AuthConfig['tokens'] {
  if (tokens === undefined) return undefined
  const access = milliseconds(tokens.access ?? '10 m')
  const grace = milliseconds(tokens.grace ?? '30 s')
  check(access >= MINUTE && access <= 60 * MINUTE, 'tokens.access must be from 1 to 60 minutes')
  check(grace >= 1000 && grace <= 10 * MINUTE, 'tokens.grace must be from a second to 10 minutes')
  return { access, grace, origins: (tokens.origins ?? []).map(checkedOrigin) }
}

function cacheOf(options: AuthOptions): AuthConfig['cache'] {
  const { cache } = options
  if (cache === undefined) return undefined
  const withMarks = 'revocations' in cache
  const duration: Duration = withMarks ? (cache.maxAge ?? MINUTE) : cache.staleness
  const maxAge = milliseconds(duration)
  check(maxAge >= 1000 && maxAge <= MINUTE, 'the session cache lasts from 1 to 60 seconds')
  return { maxAge, revocations: withMarks ? cache.revocations : undefined }
}

/**
 * Checks options and fills in defaults.
 * @throws TypeError when one is wrong
 */
export function resolveConfig(options: AuthOptions): AuthConfig {
  const {
    app,
    sessions = {},
    minPasswordLength = 8,
    cookieName = '__Host-session',
    hasher = scrypt(),
  } = options
  checkSecrets(options.secrets, 'secret')
  if (options.peppers !== undefined) checkSecrets(options.peppers, 'pepper')
  check(app.name.trim() !== '', 'app.name must not be empty')
  check(options.limiter !== undefined, "limiter must be a Limiter, or 'none'")
  check(Number.isInteger(minPasswordLength), 'minPasswordLength must be a whole number')
  check(minPasswordLength >= 8 && minPasswordLength <= 64, 'minPasswordLength must be from 8 to 64')
  check(/^__Host-[A-Za-z0-9_-]+$/.test(cookieName), 'cookieName must begin with __Host-')
  const idle = milliseconds(sessions.idle ?? '7 d')
  const absolute = milliseconds(sessions.absolute ?? '30 d')
  check(idle >= MINUTE, 'sessions.idle must be a minute at least')
  check(
    absolute >= idle && absolute <= MAX_ABSOLUTE,
    'sessions.absolute must be from sessions.idle to 365 days',
  )
  const perUser = sessions.perUser ?? 20
  check(
    Number.isInteger(perUser) && perUser >= 1 && perUser <= 1000,
    'sessions.perUser must be from 1 to 1000',
  )
  const paths = [
    app.verifyPath ?? '/verify-mail',
    app.resetPath ?? '/reset-password',
    app.confirmPath ?? '/confirm-mail',
  ] as const
  for (const path of paths) check(/^\/[^#]*$/.test(path), 'paths begin with / and have no fragment')

  return {
    db: options.db,
    secrets: options.secrets,
    app: {
      name: app.name,
      origin: checkedOrigin(app.origin),
      verifyPath: paths[0],
      resetPath: paths[1],
      confirmPath: paths[2],
      words: [app.name, ...(app.words ?? [])],
    },
    throttle: createThrottle(options.limiter === 'none' ? undefined : options.limiter),
    mailer: options.mailer,
    enqueue: options.enqueue,
    mails: { ...defaultMails, ...options.mails },
    passwords: createPasswords({
      hashers: [hasher, ...(options.olderHashers ?? []), ...(hasher.id === 'scrypt' ? [] : [scrypt()])],
      peppers: options.peppers ?? [],
      ...(options.hashing && { gate: createGate(options.hashing) }),
    }),
    minPasswordLength,
    breached: options.breached,
    // An idle limit of an hour or so must not be missed for want of writing use down.
    times: { idle, absolute, touchEvery: Math.min(60 * MINUTE, idle / 4) },
    perUser,
    cache: cacheOf(options),
    // A browser's cookies are some 700 characters; a thousand of its like are under 2 MB.
    genuine: new Recent(500, 4096),
    tokens: tokensOf(options),
    hooks: options.hooks ?? {},
    can: options.can ?? (() => false),
    cookieName,
    clientAddress: options.clientAddress ?? ((c) => c.req.header('cf-connecting-ip')),
  }
}

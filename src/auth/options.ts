import type { Context } from 'hono'
import type { Duration, Enqueue, Limiter, Mailer } from '../core/index.ts'
import type { AuthDatabase } from './database.ts'
import type { GateOptions } from './hashers/gate.ts'
import type { PasswordHasher } from './hashers/hasher.ts'
import type { AuthHooks } from './hooks.ts'
import type { Secrets } from './mail-token.ts'
import type { MailTemplates } from './mails.ts'
import type { Revocations } from './revocations.ts'
import type { Identity } from './session-store.ts'

/** The product, as people meet it in mails. */
export interface AuthApp {
  /** Its name. Also a word that passwords may not consist of. */
  readonly name: string
  /** Where its pages are, such as `https://app.example`. */
  readonly origin: string
  /** The page that takes the token of a verification mail out of its fragment. Default `/verify-mail`. */
  readonly verifyPath?: string
  /** The page that takes the token of a reset mail out of its fragment. Default `/reset-password`. */
  readonly resetPath?: string
  /** The page that takes the token of a change of address out of its fragment. Default `/confirm-mail`. */
  readonly confirmPath?: string
  /** More words that passwords may not consist of: the company, the trade (ASVS 6.1.2). */
  readonly words?: readonly string[]
}

/** How long sessions last. */
export interface SessionOptions {
  /** Without use. Default 7 days. */
  readonly idle?: Duration
  /** In all. Default 30 days, NIST's most for one factor. */
  readonly absolute?: Duration
  /** Sessions of one person; a further one ends the least recently used. Default 20. */
  readonly perUser?: number
}

/**
 * When the database need not be asked who somebody is. `revocations`: a signed cookie is believed for `maxAge`
 * (default and most: 60 s) unless a mark says otherwise, so that ending a session works at once. `staleness`:
 * it is believed for that long whatever happened (most: 60 s), so that is how late an ending may work.
 */
export type SessionCacheOptions =
  | { readonly revocations: Revocations; readonly maxAge?: Duration }
  | { readonly staleness: Duration }

/** Sessions of native apps and of pages at other origins, which travel by token instead of by cookie. */
export interface TokenOptions {
  /** How long an access token lasts. Default 10 minutes; 1 to 60. */
  readonly access?: Duration
  /** How long after a rotation the refresh token before it still gets the current one. Default 30 s; up to 10 minutes. */
  readonly grace?: Duration
  /** Other origins whose pages may call the endpoints. Your CORS middleware must allow them too. */
  readonly origins?: readonly string[]
}

/** Options of `createAuth`. */
export interface AuthOptions {
  /** A Drizzle Postgres database, as `createDatabase` makes it. */
  readonly db: AuthDatabase
  /** Sign cookies and mailed tokens, newest first; 32 characters at least each. To rotate, put a new one in front. */
  readonly secrets: Secrets
  readonly app: AuthApp
  /**
   * Counts tries and mails under the policies `credentials`, `registration`, `reset` and `message`. `'none'`
   * only where something in front of the application does that.
   */
  readonly limiter: Limiter | 'none'
  /** Sends the mails. */
  readonly mailer: Mailer
  /**
   * Records the job `auth.mail` in the transaction of the rows it is about; its handler is `auth.deliver`.
   * Without it mails are sent past the reply and lost if the provider refuses.
   */
  readonly enqueue?: Enqueue
  /** Replaces the text of some mails. */
  readonly mails?: Partial<MailTemplates>
  /** Hashes new passwords. Default `scrypt()`; better `argon2id(module)`. */
  readonly hasher?: PasswordHasher
  /** Reads stored passwords that {@link AuthOptions.hasher} does not. `scrypt()` is always among them. */
  readonly olderHashers?: readonly PasswordHasher[]
  /** Hashes at once and waiting in an isolate. Default 2 and 8; the rest gets 503 `overloaded`. */
  readonly hashing?: GateOptions
  /** Fewest characters of a password. Default 8 (ASVS 6.2.1), and never less; 15 is better where it stands alone. */
  readonly minPasswordLength?: number
  /**
   * Keys that passwords are mixed with before they are hashed, newest first; 32 characters at least each. Kept
   * apart from the database, they make stolen hashes useless. To rotate, put a new one in front: hashes follow at
   * the next sign-in. Whoever loses one loses the passwords under it.
   */
  readonly peppers?: Secrets
  /**
   * Whether a password is known to have leaked, such as `pwnedPasswords()`. Asked wherever one is chosen. When it
   * rejects the password is taken.
   */
  readonly breached?: (password: string) => Promise<boolean>
  readonly sessions?: SessionOptions
  /** Takes `transport: 'token'` at sign-in. Default: cookies only. */
  readonly tokens?: TokenOptions
  /** Called before and after what happens to accounts. */
  readonly hooks?: AuthHooks
  /** Decides what {@link Identity} may do; asked by `auth.can` and `requireCan`. Default: nobody may do anything. */
  readonly can?: (identity: Identity, action: string, resource?: unknown) => boolean | Promise<boolean>
  /** Default: none, the database is asked at each request. */
  readonly cache?: SessionCacheOptions
  /** The session cookie's name. Must begin with `__Host-`. Default `__Host-session`. */
  readonly cookieName?: string
  /** The caller's network address. Default: Cloudflare's `CF-Connecting-IP`. */
  readonly clientAddress?: (c: Context) => string | undefined
}

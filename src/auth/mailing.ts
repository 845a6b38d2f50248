import { sql } from 'drizzle-orm'
import { toBytes } from '../core/bytes.ts'
import { uuidv7 } from '../core/index.ts'
import type { AuthConfig } from './config.ts'
import { type Executor, one, text, textOrNull } from './database.ts'
import { recoverMailToken } from './mail-token.ts'
import { seal, unseal } from './sealing.ts'
import { isUuid } from './token.ts'
import type { Visitor } from './visitor.ts'

/** The type of the job that sends one mail; its handler is `auth.deliver`. */
export const AUTH_MAIL_JOB = 'auth.mail'

/** How long a mailed link works, in minutes. */
export const TOKEN_MINUTES = { 'verify-mail': 1440, 'reset-password': 10, 'change-mail': 10 } as const

/** Mails with a link. */
const LINKS = ['verify-mail', 'reset-password', 'change-mail'] as const
/** Mails that go to the address in the token's row. */
const TOKENS = ['verify-mail', 'reset-password', 'change-mail', 'mail-changed'] as const
/** Mails that only tell something. */
const NOTICES = [
  'account-exists',
  'password-changed',
  'new-device',
  'second-factor-added',
  'second-factor-removed',
  'recovery-code-used',
  'passkey-added',
  'passkey-removed',
  'passkey-copied',
  'identity-linked',
  'identity-unlinked',
  'mail-change-requested',
  'api-key-created',
] as const

/**
 * The input of the job `auth.mail`. It holds ids: the address is looked up and the token derived when the mail is made,
 * so that neither is ever in a queue to be read.
 */
export type AuthMail =
  | { readonly kind: (typeof TOKENS)[number]; readonly tokenId: string }
  | { readonly kind: (typeof NOTICES)[number]; readonly userId: string; readonly noticeId: string }
  | FarewellMail

/** The last mail of an account. There is no row to look the address up in any more, so it is here, encrypted. */
export interface FarewellMail {
  readonly kind: 'account-closed'
  readonly to: string
  readonly noticeId: string
}

const among = <T extends string>(list: readonly T[], kind: unknown): kind is T =>
  (list as readonly unknown[]).includes(kind)

function parseMail(input: unknown): AuthMail {
  const { kind, tokenId, userId, noticeId, to } = (
    typeof input === 'object' && input !== null ? input : {}
  ) as Record<'kind' | 'tokenId' | 'userId' | 'noticeId' | 'to', unknown>
  if (among(TOKENS, kind) && isUuid(tokenId)) return { kind, tokenId }
  if (among(NOTICES, kind) && isUuid(userId) && isUuid(noticeId)) return { kind, userId, noticeId }
  if (kind === 'account-closed' && typeof to === 'string' && isUuid(noticeId)) return { kind, to, noticeId }
  throw new TypeError(`This is not an input of the job ${AUTH_MAIL_JOB}`)
}

/**
 * Does something in the database that a mail goes with. With a queue, the rows and the job are of one
 * transaction; without, the mail is sent past the reply.
 */
export async function withMail(
  config: AuthConfig,
  visitor: Visitor,
  work: (db: Executor) => Promise<AuthMail>,
): Promise<void> {
  const { enqueue } = config
  if (enqueue === undefined) {
    visitor.waitUntil(deliverMail(config, await work(config.db)))
    return
  }
  await config.db.transaction(async (tx) => {
    await enqueue(AUTH_MAIL_JOB, await work(tx), { tx })
  })
}

/** Tells somebody something, past the reply: the budget of what it tells about has no round trip left. */
export function notify(config: AuthConfig, visitor: Visitor, mail: AuthMail): void {
  visitor.later(() =>
    config.enqueue === undefined ? deliverMail(config, mail) : config.enqueue(AUTH_MAIL_JOB, mail),
  )
}

interface Recipient {
  readonly to: string
  /** The stored hash of the token, if there is one. */
  readonly hash: string
  /** Such as `Firefox on Windows, Berlin, DE`, of the session that a notice is about. */
  readonly device: string
}

/** What tells somebody that the account is gone. */
export async function farewell(config: AuthConfig, email: string): Promise<FarewellMail> {
  const noticeId = uuidv7()
  return { kind: 'account-closed', to: await seal(config.secrets, noticeId, toBytes(email)), noticeId }
}

/** Whom to write to. Undefined when there is nothing to send any more. */
async function recipient(config: AuthConfig, mail: AuthMail): Promise<Recipient | undefined> {
  if (mail.kind === 'account-closed') {
    const to = await unseal(config.secrets, mail.noticeId, mail.to)
    return to && { to: new TextDecoder().decode(to), hash: '', device: '' }
  }
  const row = await one(
    config.db,
    'userId' in mail
      ? sql`select u.email, concat_ws(', ', s.device, s.city, s.country) as device from breakwater.users u
          left join breakwater.sessions s on s.id = ${mail.noticeId}::uuid and s.user_id = u.id
          where u.id = ${mail.userId}::uuid and u.disabled_at is null`
      : sql`select coalesce(t.email, u.email) as email, t.secret_hash from breakwater.verification_tokens t
          join breakwater.users u on u.id = t.user_id
          where t.id = ${mail.tokenId}::uuid and t.purpose = ${mail.kind}::text and t.expires_at > now()
            and u.disabled_at is null`,
  )
  if (row === undefined) return undefined
  return {
    to: text(row, 'email'),
    hash: textOrNull(row, 'secret_hash') ?? '',
    device: textOrNull(row, 'device') ?? '',
  }
}

/** What a mail links to. Undefined when the secret that its token was made under has been retired. */
async function linkOf(config: AuthConfig, mail: AuthMail, hash: string): Promise<string | undefined> {
  const { app, secrets } = config
  if (!('tokenId' in mail) || mail.kind === 'mail-changed') return app.origin
  const token = await recoverMailToken(secrets, mail.kind, mail.tokenId, hash)
  const paths = {
    'verify-mail': app.verifyPath,
    'reset-password': app.resetPath,
    'change-mail': app.confirmPath,
  }
  // In the fragment: it reaches neither a server's log nor a Referer, and nothing that only fetches spends it.
  return token && `${app.origin}${paths[mail.kind]}#token=${token}`
}

/**
 * Sends the mail of a job. Does nothing, successfully, when there is no such account or token (any more): a
 * job exists for every request, so that a request tells nothing about accounts.
 */
export async function deliverMail(config: AuthConfig, input: unknown, signal?: AbortSignal): Promise<void> {
  const mail = parseMail(input)
  const found = await recipient(config, mail)
  const link = found && (await linkOf(config, mail, found.hash))
  if (found === undefined || link === undefined) return
  const { kind } = mail
  const minutes = among(LINKS, kind) ? TOKEN_MINUTES[kind] : 0
  const { name, origin } = config.app
  const content = config.mails[kind]({ app: name, origin, link, minutes, device: found.device })
  await config.mailer.send(
    { to: found.to, subject: content.subject, text: content.text, html: content.html, tag: kind },
    {
      idempotencyKey: `auth:${kind}:${'tokenId' in mail ? mail.tokenId : mail.noticeId}`,
      ...(signal && { signal }),
    },
  )
}

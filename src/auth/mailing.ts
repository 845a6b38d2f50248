import { sql } from 'drizzle-orm'
import type { AuthConfig } from './config.ts'
import { type Executor, one, text } from './database.ts'
import { recoverMailToken } from './mail-token.ts'
import { isUuid } from './token.ts'
import type { Visitor } from './visitor.ts'

/** The type of the job that sends one mail; its handler is `auth.deliver`. */
export const AUTH_MAIL_JOB = 'auth.mail'

/** How long a mailed link works, in minutes. */
export const TOKEN_MINUTES = { 'verify-mail': 24 * 60, 'reset-password': 30 } as const

/**
 * The input of the job `auth.mail`. It holds ids only: the address is looked up and the token derived when the
 * mail is made, so that neither is ever in a queue.
 */
export type AuthMail =
  | { readonly kind: 'verify-mail' | 'reset-password'; readonly tokenId: string }
  | {
      readonly kind: 'account-exists' | 'password-changed'
      readonly userId: string
      readonly noticeId: string
    }

function parseMail(input: unknown): AuthMail {
  const mail = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>
  const { kind, tokenId, userId, noticeId } = mail as Record<
    'kind' | 'tokenId' | 'userId' | 'noticeId',
    unknown
  >
  if ((kind === 'verify-mail' || kind === 'reset-password') && isUuid(tokenId)) return { kind, tokenId }
  if ((kind === 'account-exists' || kind === 'password-changed') && isUuid(userId) && isUuid(noticeId)) {
    return { kind, userId, noticeId }
  }
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
  visitor.waitUntil(
    config.enqueue === undefined ? deliverMail(config, mail) : config.enqueue(AUTH_MAIL_JOB, mail),
  )
}

/** Whom to write to, and the stored hash of the token if there is one. Undefined when there is nothing to send any more. */
async function recipient(
  config: AuthConfig,
  mail: AuthMail,
): Promise<{ to: string; hash?: string } | undefined> {
  if ('userId' in mail) {
    const row = await one(
      config.db,
      sql`select email from breakwater.users where id = ${mail.userId}::uuid and disabled_at is null`,
    )
    return row && { to: text(row, 'email') }
  }
  const row = await one(
    config.db,
    sql`select u.email, t.secret_hash from breakwater.verification_tokens t
      join breakwater.users u on u.id = t.user_id
      where t.id = ${mail.tokenId}::uuid and t.purpose = ${mail.kind}::text and t.expires_at > now()
        and u.disabled_at is null`,
  )
  return row && { to: text(row, 'email'), hash: text(row, 'secret_hash') }
}

/**
 * Sends the mail of a job. Does nothing, successfully, when there is no such account or token (any more): a
 * job exists for every request, so that a request tells nothing about accounts.
 */
export async function deliverMail(config: AuthConfig, input: unknown, signal?: AbortSignal): Promise<void> {
  const mail = parseMail(input)
  const found = await recipient(config, mail)
  if (found === undefined) return
  const { app } = config
  let link = app.origin
  let minutes = 0
  if ('tokenId' in mail) {
    const token = await recoverMailToken(config.secrets, mail.kind, mail.tokenId, found.hash ?? '')
    if (token === undefined) return
    // In the fragment: it reaches neither a server's log nor a Referer, and nothing that only fetches spends it.
    link = `${app.origin}${mail.kind === 'verify-mail' ? app.verifyPath : app.resetPath}#token=${token}`
    minutes = TOKEN_MINUTES[mail.kind]
  }
  const content = config.mails[mail.kind]({ app: app.name, origin: app.origin, link, minutes })
  await config.mailer.send(
    { to: found.to, subject: content.subject, text: content.text, html: content.html, tag: mail.kind },
    {
      idempotencyKey: `auth:${mail.kind}:${'tokenId' in mail ? mail.tokenId : mail.noticeId}`,
      ...(signal && { signal }),
    },
  )
}

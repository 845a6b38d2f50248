import type { Mailer } from '../core/ports.ts'
import { formatMailbox } from './address.ts'
import { checkMessage, checkSender } from './message.ts'
import { type ProviderOptions, post, providerSettings, stringAt } from './provider.ts'

/** Options of {@link postmark}. */
export interface PostmarkOptions extends ProviderOptions {
  /** A Postmark server token. */
  readonly token: string
  /** The sender, a confirmed signature or on a confirmed domain: `Acme <hello@acme.example>`. */
  readonly from: string
  /** Postmark's message stream. Default `outbound`. */
  readonly stream?: string
}

/**
 * Sends through Postmark (https://postmarkapp.com/developer/api/email-api).
 * Postmark has no idempotency keys: after `outcome-unknown` a retry may send twice. Opens and links are not tracked.
 *
 * `send` rejects with a BreakwaterError: `validation-failed` (the message), `misconfigured` (token or sender),
 * `dependency-unavailable` (busy or down; not sent), `outcome-unknown`.
 * @throws TypeError when an option is wrong.
 */
export function postmark(options: PostmarkOptions): Mailer {
  const { token, from, stream = 'outbound' } = options
  if (token === '') throw new TypeError('postmark: "token" is empty')
  if (stream === '') throw new TypeError('postmark: "stream" is empty')
  const sender = checkSender('postmark', from)
  const { base, timeout } = providerSettings('postmark', options, 'https://api.postmarkapp.com')
  return {
    async send(message, { signal } = {}) {
      const { to, from, replyTo, subject, text, html, tag } = checkMessage(message, sender)
      return post(
        {
          name: 'Postmark',
          url: `${base}/email`,
          timeout,
          headers: { 'x-postmark-server-token': token },
          idOf: (reply) => stringAt(reply, 'MessageID'),
          faultOf: errorCode,
        },
        {
          From: formatMailbox(from),
          To: formatMailbox(to),
          Subject: subject,
          TextBody: text,
          HtmlBody: html,
          MessageStream: stream,
          TrackOpens: false,
          TrackLinks: 'None',
          ...(replyTo && { ReplyTo: formatMailbox(replyTo) }),
          ...(tag !== undefined && { Tag: tag }),
        },
        signal,
      )
    },
  }
}

function errorCode(reply: unknown): string | undefined {
  const code =
    typeof reply === 'object' && reply !== null && 'ErrorCode' in reply ? reply.ErrorCode : undefined
  return typeof code === 'number' ? `ErrorCode ${code}` : undefined
}

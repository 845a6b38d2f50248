import { toHex } from '../core/bytes.ts'
import { sha256 } from '../core/crypto.ts'
import type { Mailer } from '../core/ports.ts'
import { formatMailbox } from './address.ts'
import { checkMessage, checkSender } from './message.ts'
import { type ProviderOptions, post, providerSettings, stringAt } from './provider.ts'

/** Options of {@link resend}. */
export interface ResendOptions extends ProviderOptions {
  /** A Resend API key with sending access. */
  readonly apiKey: string
  /** The sender, on a domain that Resend has verified: `Acme <hello@acme.example>`. */
  readonly from: string
}

const MAX_KEY = 256

/**
 * Sends through Resend (https://resend.com/docs/api-reference/emails/send-email).
 * Resend honours idempotency keys for 24 hours, so a send that ended in `outcome-unknown` may be repeated with
 * the same key.
 *
 * `send` rejects with a BreakwaterError: `validation-failed` (the message), `misconfigured` (key or sender),
 * `dependency-unavailable` (busy or down; not sent), `conflict` (the key is in use), `outcome-unknown`.
 * @throws TypeError when an option is wrong.
 */
export function resend(options: ResendOptions): Mailer {
  const { apiKey, from } = options
  if (apiKey === '') throw new TypeError('resend: "apiKey" is empty')
  const sender = checkSender('resend', from)
  const { base, timeout } = providerSettings('resend', options, 'https://api.resend.com')
  return {
    async send(message, { idempotencyKey, signal } = {}) {
      const { to, from, replyTo, subject, text, html, tag } = checkMessage(message, sender)
      return post(
        {
          name: 'Resend',
          url: `${base}/emails`,
          timeout,
          headers: {
            authorization: `Bearer ${apiKey}`,
            ...(idempotencyKey !== undefined && { 'idempotency-key': await fitKey(idempotencyKey) }),
          },
          idOf: (reply) => stringAt(reply, 'id'),
          faultOf: (reply) => stringAt(reply, 'name'),
        },
        {
          from: formatMailbox(from),
          to: [formatMailbox(to)],
          subject,
          text,
          html,
          ...(replyTo && { reply_to: formatMailbox(replyTo) }),
          ...(tag !== undefined && { tags: [{ name: 'category', value: tag }] }),
        },
        signal,
      )
    },
  }
}

/** A key that is safe as a header field, of a length that Resend takes. */
async function fitKey(key: string): Promise<string> {
  return /^[\x21-\x7e]+$/.test(key) && key.length <= MAX_KEY ? key : toHex(await sha256(key))
}

import { BreakwaterError } from '../core/errors.ts'
import type { Mailer } from '../core/ports.ts'
import { type Duration, milliseconds } from '../core/time.ts'
import { span } from '../core/work.ts'
import type { Mailbox } from './address.ts'
import { checkMessage, checkSender } from './message.ts'
import { stringAt } from './provider.ts'

/** Options of {@link cloudflareEmail}. */
export interface CloudflareEmailOptions {
  /** A `send_email` binding. */
  readonly binding: SendEmail
  /** The sender, on a domain onboarded to Cloudflare Email Service: `Acme <hello@acme.example>`. */
  readonly from: string
  /** How long to wait for the binding's answer. Default 10 s. */
  readonly timeout?: Duration
}

/**
 * Sends through a `send_email` binding of Cloudflare Email Service
 * (https://developers.cloudflare.com/email-service/api/send-emails/workers-api/). The service builds the MIME
 * message. It has no idempotency keys and no tags: a retry after `outcome-unknown` may send twice, a tag is
 * left out.
 *
 * `send` rejects with a BreakwaterError: `validation-failed` (the message), `misconfigured` (sender or account),
 * `dependency-unavailable` (a limit is reached or the service is down), `outcome-unknown`.
 * @throws TypeError when an option is wrong.
 */
export function cloudflareEmail({ binding, from, timeout = '10 s' }: CloudflareEmailOptions): Mailer {
  if (typeof binding?.send !== 'function') throw new TypeError('cloudflareEmail: "binding" cannot send')
  const sender = checkSender('cloudflareEmail', from)
  const limit = milliseconds(timeout)
  if (limit === 0) throw new TypeError('cloudflareEmail: "timeout" must be more than 0')
  return {
    async send(message, { signal } = {}) {
      const { to, from, replyTo, subject, text, html } = checkMessage(message, sender)
      signal?.throwIfAborted()
      return span('http.client', 'send Cloudflare Email', async () => {
        const within = signal
          ? AbortSignal.any([AbortSignal.timeout(limit), signal])
          : AbortSignal.timeout(limit)
        // The recipient's name is left out: the service takes addresses there.
        const sent = binding.send({
          to: to.email,
          from: address(from),
          subject,
          text,
          html,
          ...(replyTo && { replyTo: address(replyTo) }),
        })
        try {
          const reply = await orAborted(sent, within)
          return { id: stringAt(reply, 'messageId') ?? '' }
        } catch (error) {
          throw within.aborted ? unknownOutcome(error) : refused(error)
        }
      })
    },
  }
}

function address({ email, name }: Mailbox): string | { email: string; name: string } {
  return name === undefined ? email : { email, name }
}

/** The binding takes no signal: what it does after the limit is no longer waited for. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    promise.then(resolve, reject)
  })
}

function unknownOutcome(cause: unknown): BreakwaterError {
  return new BreakwaterError('outcome-unknown', {
    status: 503,
    detail: 'Cloudflare Email did not answer in time; the mail may have been sent.',
    cause,
  })
}

function refused(error: unknown): BreakwaterError {
  const code = stringAt(error, 'code') ?? 'without a code'
  // The service's own sentence may repeat the recipient.
  const cause = new Error(`Cloudflare Email refused, ${code}`)
  if (/^E_(VALIDATION|FIELD|RECIPIENT|CONTENT|TOO_MANY|HEADER)/.test(code)) {
    return new BreakwaterError('validation-failed', {
      status: 422,
      detail: 'Cloudflare Email refused the mail.',
      cause,
      report: true,
    })
  }
  if (/^E_(SENDER|DOMAIN|ACCOUNT|NOT_ENABLED|UNAUTHORIZED|FORBIDDEN)/.test(code)) {
    return new BreakwaterError('misconfigured', {
      status: 500,
      detail: 'Cloudflare Email refused the sender.',
      cause,
    })
  }
  return new BreakwaterError('dependency-unavailable', {
    status: 503,
    detail: 'Cloudflare Email takes no mail just now.',
    cause,
  })
}

import { uuidv7 } from '../core/ids.ts'
import type { Mailer, MailMessage } from '../core/ports.ts'
import { formatMailbox } from './address.ts'
import { checkMessage } from './message.ts'

/** A mail that {@link memoryMailer} has kept. */
export interface KeptMail extends MailMessage {
  readonly id: string
  readonly from: string
  readonly idempotencyKey?: string
}

/** A mailer that keeps what it is given. */
export interface MemoryMailer extends Mailer {
  /** Oldest first. */
  readonly sent: readonly KeptMail[]
  /** The newest mail to an address, if there is one. */
  last(to?: string): KeptMail | undefined
  clear(): void
}

/**
 * Keeps mail in memory, for tests. It refuses what the real ones refuse, and a repeated idempotency key sends
 * nothing a second time, as at Resend.
 */
export function memoryMailer(options: { readonly from?: string } = {}): MemoryMailer {
  const { from = 'test@example.test' } = options
  const sent: KeptMail[] = []
  return {
    sent,
    async send(message, { idempotencyKey, signal } = {}) {
      signal?.throwIfAborted()
      const checked = checkMessage(message, { email: from })
      const before = idempotencyKey && sent.find((mail) => mail.idempotencyKey === idempotencyKey)
      if (before) return { id: before.id }
      const id = uuidv7()
      sent.push({
        ...message,
        id,
        from: formatMailbox(checked.from),
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      })
      return { id }
    },
    last: (to) => sent.findLast((mail) => to === undefined || mail.to === to),
    clear: () => void sent.splice(0),
  }
}

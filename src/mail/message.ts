import { BreakwaterError, type FieldFault } from '../core/errors.ts'
import type { MailMessage } from '../core/ports.ts'
import { CONTROL, type Mailbox, parseMailbox } from './address.ts'

/** A message whose every header field has been looked at. */
export interface CheckedMessage {
  readonly to: Mailbox
  readonly from: Mailbox
  readonly replyTo?: Mailbox
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly tag?: string
}

/** RFC 5322, section 2.1.1: a line of a header has at most 998 characters. */
const MAX_SUBJECT = 900

/**
 * Reads a message, refusing what would smuggle a header field, a second recipient or an empty body.
 * @throws BreakwaterError `validation-failed`, which repeats none of the message's content.
 */
export function checkMessage(message: MailMessage, sender: Mailbox): CheckedMessage {
  const faults: FieldFault[] = []
  const mailbox = (field: 'to' | 'from' | 'replyTo'): Mailbox | undefined => {
    const text = message[field]
    if (text === undefined) return undefined
    const parsed = parseMailbox(text)
    if (!parsed) faults.push({ pointer: `/${field}`, detail: 'must be one mail address' })
    return parsed
  }
  const to = mailbox('to')
  const from = mailbox('from') ?? sender
  const replyTo = mailbox('replyTo')
  const { subject, text, html, tag } = message
  if (CONTROL.test(subject)) faults.push({ pointer: '/subject', detail: 'must be one line' })
  if (subject.trim() === '') faults.push({ pointer: '/subject', detail: 'must not be empty' })
  if (subject.length > MAX_SUBJECT) {
    faults.push({ pointer: '/subject', detail: `must have at most ${MAX_SUBJECT} characters` })
  }
  if (text === '') faults.push({ pointer: '/text', detail: 'must not be empty' })
  if (html === '') faults.push({ pointer: '/html', detail: 'must not be empty' })
  if (tag !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(tag)) {
    faults.push({ pointer: '/tag', detail: 'must be 1 to 64 letters, digits, underscores or hyphens' })
  }
  if (to === undefined || faults.length > 0) {
    throw new BreakwaterError('validation-failed', {
      status: 422,
      detail: 'The mail cannot be sent as it is.',
      fields: faults,
    })
  }
  return { to, from, subject, text, html, ...(replyTo && { replyTo }), ...(tag !== undefined && { tag }) }
}

/**
 * The sender an adapter was built with.
 * @throws TypeError when it is not one mailbox.
 */
export function checkSender(adapter: string, from: string): Mailbox {
  const sender = parseMailbox(from)
  if (!sender)
    throw new TypeError(`${adapter}: "from" must be one mailbox, such as Acme <hello@acme.example>`)
  return sender
}

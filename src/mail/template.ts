import type { MailMessage } from '../core/ports.ts'
import { Html, html } from './html.ts'

/** What a template gives: all of a message but whom it goes to. */
export type MailContent = Pick<MailMessage, 'subject' | 'text' | 'html'>

/** A mail as a function of what it is about. */
export type MailTemplate<Data> = (data: Data) => MailContent

/** The parts of a {@link mailTemplate}, each a function of the same data. */
export interface MailTemplateParts<Data> {
  /** One line; line breaks and what else cannot stand in a header are made spaces. */
  readonly subject: (data: Data) => string
  /** The plain text, for those who read mail as text. */
  readonly text: (data: Data) => string
  /** The same in markup, made by `html`, so that nothing in it is unescaped. */
  readonly html: (data: Data) => Html
  /** The language of the mail, a BCP 47 tag. Default `en`. */
  readonly language?: string
}

/**
 * Declares a mail: a function from data to subject, text and HTML.
 *
 * ```ts
 * const welcome = mailTemplate<{ name: string; link: string }>({
 *   subject: ({ name }) => `Welcome aboard, ${name}`,
 *   text: ({ name, link }) => `Hello ${name},\n\nyour harbour: ${link}\n`,
 *   html: ({ name, link }) => html`<p>Hello ${name},</p><p><a href="${link}">Your harbour</a></p>`,
 * })
 * await mailer.send({ to, ...welcome({ name, link }) }, { idempotencyKey: id })
 * ```
 */
export function mailTemplate<Data>(parts: MailTemplateParts<Data>): MailTemplate<Data> {
  const { language = 'en' } = parts
  return (data) => {
    const body = parts.html(data)
    // A cast would let a string through, with whatever is in it.
    if (!(body instanceof Html)) throw new TypeError('mailTemplate: "html" must be made by html`…`')
    const subject = oneLine(parts.subject(data))
    return { subject, text: parts.text(data), html: page(subject, language, body) }
  }
}

/** Text as a header can hold it: a name with a line break in it must not stop a mail. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\s]+/gu, ' ').trim()
}

function page(subject: string, language: string, body: Html): string {
  return html`<!doctype html><html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${subject}</title></head><body>${body}</body></html>`.toString()
}

/** A paragraph, or a link on a line of its own. */
export type LetterLine = string | { readonly label: string; readonly link: string }

/**
 * A plain letter: paragraphs and links, the same in text and in HTML, without any markup to write.
 *
 * ```ts
 * const receipt = (order: Order) =>
 *   letter(`Your order ${order.number}`, ['Thank you.', { label: 'Look at it', link: order.url }])
 * ```
 */
export function letter(subject: string, lines: readonly LetterLine[]): MailContent {
  return mailTemplate<null>({
    subject: () => subject,
    text: () =>
      `${lines.map((line) => (typeof line === 'string' ? line : `${line.label}: ${line.link}`)).join('\n\n')}\n`,
    html: () =>
      html`${lines.map((line) =>
        typeof line === 'string'
          ? html`<p>${line}</p>`
          : html`<p><a href="${line.link}">${line.label}</a></p>`,
      )}`,
  })(null)
}

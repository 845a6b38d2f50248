import { createHash, randomUUID } from 'node:crypto'

/** A mail that was sent, as the stand-in keeps it. */
export interface StoredMail {
  readonly id: string
  /** ISO 8601. */
  readonly receivedAt: string
  /** Whose API it came by. */
  readonly provider: 'resend' | 'postmark'
  readonly from: string
  readonly to: readonly string[]
  readonly cc: readonly string[]
  readonly bcc: readonly string[]
  readonly replyTo: readonly string[]
  readonly subject: string
  readonly text: string
  readonly html: string
  /** Names and values; Postmark's single tag is `tag`. */
  readonly tags: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly attachments: readonly {
    readonly filename: string
    readonly contentType: string
    readonly size: number
  }[]
  /** Every http and https link in the bodies, each once. */
  readonly links: readonly string[]
  readonly idempotencyKey?: string
  /** SHA-256 of the request, to tell a retry from a different mail under the same key. */
  readonly digest: string
}

/** What an API has read out of a request. */
export type ReadMail = Omit<StoredMail, 'id' | 'receivedAt' | 'links' | 'digest'>

/** Makes the mail that is kept. */
export function toStored(mail: ReadMail, request: string): StoredMail {
  return {
    ...mail,
    id: randomUUID(),
    receivedAt: new Date().toISOString(),
    links: linksIn(mail.text, mail.html),
    digest: digestOf(request),
  }
}

/** Identifies the content of a request. */
export function digestOf(request: string): string {
  return createHash('sha256').update(request).digest('hex')
}

/** The address in a mailbox such as `Acme <hello@acme.example>`, in lower case. */
export function addressOf(mailbox: string): string {
  return (/<([^<>]*)>\s*$/.exec(mailbox)?.[1] ?? mailbox).trim().toLowerCase()
}

/** What both providers call a valid mailbox. */
export function isMailbox(text: string): boolean {
  return /^[^\s@<>,;]+@[^\s@<>,;]+$/.test(addressOf(text)) && !/[\r\n]/.test(text)
}

function linksIn(text: string, html: string): string[] {
  const inText = text.match(LINK) ?? []
  const inHtml = [...html.matchAll(/\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)].map((match) =>
    decodeEntities(match[1] ?? match[2] ?? ''),
  )
  return [...new Set([...inText, ...inHtml].filter((link) => /^https?:\/\//i.test(link)))]
}

/** A link in plain text; a full stop or bracket after it is the sentence's. */
export const LINK: RegExp = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/gi

function decodeEntities(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return named[String(name).toLowerCase()] ?? whole
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

import { Hono } from 'hono'
import type { Shelf } from '../shelf.ts'
import { isMailbox, type ReadMail, type StoredMail, toStored } from './message.ts'

/** A refusal in the shape of Postmark's API: an HTTP status and a code of its own. */
class Refusal extends Error {
  readonly status: 401 | 422
  readonly code: number

  constructor(status: Refusal['status'], code: number, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/**
 * Postmark's API (https://postmarkapp.com/developer/api/email-api): `POST /email`, `POST /email/batch`.
 * @param tokens The server tokens that are taken; absent, any.
 */
export function postmarkApi(shelf: Shelf<StoredMail>, tokens?: readonly string[]): Hono {
  const app = new Hono()

  app.use('/email/*', async (c, next) => {
    const token = c.req.header('x-postmark-server-token') ?? ''
    if (token === '' || (tokens && !tokens.includes(token))) {
      throw new Refusal(
        401,
        10,
        'The Server Token you provided in the X-Postmark-Server-Token request header was invalid. Please verify that you are using a valid token.',
      )
    }
    await next()
  })

  app.post('/email', async (c) => {
    const text = await c.req.text()
    return c.json(send(read(parseJson(text)), text))
  })

  app.post('/email/batch', async (c) => {
    const text = await c.req.text()
    const body = parseJson(text)
    if (!Array.isArray(body) || body.length > 500)
      throw new Refusal(422, 402, 'A batch is an array of up to 500.')
    // One that is refused does not hold up the others.
    return c.json(
      body.map((one) => {
        try {
          return send(read(one), JSON.stringify(one))
        } catch (error) {
          if (error instanceof Refusal) return { ErrorCode: error.code, Message: error.message }
          throw error
        }
      }),
    )
  })

  app.onError((error, c) => {
    if (!(error instanceof Refusal)) throw error
    return c.json({ ErrorCode: error.code, Message: error.message }, error.status)
  })

  function send(mail: ReadMail, request: string): Record<string, unknown> {
    const stored = toStored(mail, request)
    shelf.add(stored)
    return {
      To: mail.to.join(', '),
      SubmittedAt: stored.receivedAt,
      MessageID: stored.id,
      ErrorCode: 0,
      Message: 'OK',
    }
  }

  return app
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(422, 402, 'Received invalid JSON input.')
  }
}

function read(body: unknown): ReadMail {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Refusal(422, 402, 'Received invalid JSON input.')
  }
  const fields = new Map(Object.entries(body).map(([name, value]) => [name.toLowerCase(), value as unknown]))
  const text = (name: string): string => {
    const value = fields.get(name.toLowerCase())
    if (value === undefined || value === null) return ''
    if (typeof value !== 'string') throw new Refusal(422, 403, `Invalid '${name}' value.`)
    return value
  }
  const mailboxes = (name: string): string[] => {
    const all = splitList(text(name))
    const wrong = all.find((one) => !isMailbox(one))
    if (wrong !== undefined) throw new Refusal(422, 300, `Invalid '${name}' address: '${wrong}'.`)
    return all
  }
  const [from, ...more] = mailboxes('From')
  if (from === undefined || more.length > 0) throw new Refusal(422, 300, "Invalid 'From' value.")
  const [to, cc, bcc] = [mailboxes('To'), mailboxes('Cc'), mailboxes('Bcc')]
  if (to.length + cc.length + bcc.length === 0) throw new Refusal(422, 300, 'Zero recipients specified')
  if (to.length + cc.length + bcc.length > 50)
    throw new Refusal(422, 300, 'More than 50 recipients specified')
  const [html, plain] = [text('HtmlBody'), text('TextBody')]
  if (html === '' && plain === '')
    throw new Refusal(422, 300, 'Provide either email TextBody or HtmlBody or both.')
  const tag = text('Tag')
  return {
    provider: 'postmark',
    from,
    to,
    cc,
    bcc,
    replyTo: mailboxes('ReplyTo'),
    subject: text('Subject'),
    text: plain,
    html,
    tags: tag === '' ? {} : { tag },
    headers: headers(fields.get('headers')),
    attachments: attachments(fields.get('attachments')),
  }
}

/** Splits at commas that are not inside quotes. */
function splitList(text: string): string[] {
  return (text.match(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g) ?? [])
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

function headers(value: unknown): Record<string, string> {
  if (!Array.isArray(value)) return {}
  return Object.fromEntries(
    value.map((one: { Name?: unknown; Value?: unknown } | null) => [String(one?.Name), String(one?.Value)]),
  )
}

function attachments(value: unknown): StoredMail['attachments'] {
  if (!Array.isArray(value)) return []
  return value.map((one: Record<string, unknown> | null) => ({
    filename: String(one?.['Name'] ?? 'attachment'),
    contentType: String(one?.['ContentType'] ?? 'application/octet-stream'),
    size: typeof one?.['Content'] === 'string' ? Buffer.from(one['Content'], 'base64').length : 0,
  }))
}

import { type Context, Hono } from 'hono'
import type { Shelf } from '../shelf.ts'
import { digestOf, isMailbox, type ReadMail, type StoredMail, toStored } from './message.ts'

/** A refusal in the shape of Resend's API. */
class Refusal extends Error {
  readonly status: 400 | 401 | 403 | 404 | 409 | 422
  readonly code: string

  constructor(status: Refusal['status'], code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const MAX_RECIPIENTS = 50
/** For how long Resend remembers an idempotency key. */
const KEY_LIFE = 24 * 3_600_000

/**
 * Resend's API (https://resend.com/docs/api-reference/emails): `POST /emails`, `POST /emails/batch`,
 * `GET /emails/<id>`.
 * @param keys The API keys that are taken; absent, any.
 */
export function resendApi(shelf: Shelf<StoredMail>, keys?: readonly string[]): Hono {
  const app = new Hono()

  app.use('/emails/*', async (c, next) => {
    const key = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (key === undefined) throw new Refusal(401, 'missing_api_key', 'Missing API Key')
    if (keys && !keys.includes(key)) throw new Refusal(403, 'invalid_api_key', 'API key is invalid')
    await next()
  })

  app.post('/emails', async (c) => {
    const { stored, again } = await accept(c, (body) => [read(body)])
    return c.json({ id: (again ?? stored)[0]?.id })
  })

  app.post('/emails/batch', async (c) => {
    const { stored, again } = await accept(c, (body) => {
      if (!Array.isArray(body))
        throw new Refusal(422, 'validation_error', 'The request body must be an array.')
      if (body.length === 0 || body.length > 100) {
        throw new Refusal(422, 'validation_error', 'A batch has 1 to 100 emails.')
      }
      return body.map(read)
    })
    return c.json({ data: (again ?? stored).map(({ id }) => ({ id })) })
  })

  app.get('/emails/:id', (c) => {
    const mail = shelf.find(({ id }) => id === c.req.param('id'))
    if (!mail) throw new Refusal(404, 'not_found', 'Email not found')
    return c.json({
      object: 'email',
      id: mail.id,
      to: mail.to,
      from: mail.from,
      created_at: mail.receivedAt,
      subject: mail.subject,
      html: mail.html || null,
      text: mail.text || null,
      bcc: mail.bcc,
      cc: mail.cc,
      reply_to: mail.replyTo,
      last_event: 'delivered',
      tags: Object.entries(mail.tags).map(([name, value]) => ({ name, value })),
    })
  })

  app.onError((error, c) => {
    if (!(error instanceof Refusal)) throw error
    return c.json({ statusCode: error.status, name: error.code, message: error.message }, error.status)
  })

  async function accept(
    c: Context,
    parse: (body: unknown) => ReadMail[],
  ): Promise<{ stored: StoredMail[]; again: StoredMail[] | undefined }> {
    const key = c.req.header('idempotency-key')
    if (key !== undefined && (key.length < 1 || key.length > 256)) {
      throw new Refusal(
        400,
        'invalid_idempotency_key',
        'The idempotency key must be between 1 and 256 characters.',
      )
    }
    const text = await c.req.text()
    const digest = digestOf(text)
    const before = key === undefined ? [] : sentWith(key)
    if (before.some((mail) => mail.digest !== digest)) {
      throw new Refusal(
        409,
        'invalid_idempotent_request',
        'This idempotency key has been used with a different request body.',
      )
    }
    if (before.length > 0) return { stored: [], again: before }
    const mails = parse(parseJson(text))
    // All or none, as one request.
    const stored = mails.map((mail) =>
      toStored({ ...mail, ...(key !== undefined && { idempotencyKey: key }) }, text),
    )
    for (const mail of stored) shelf.add(mail)
    return { stored, again: undefined }
  }

  function sentWith(key: string): StoredMail[] {
    const since = Date.now() - KEY_LIFE
    return shelf
      .list()
      .filter((mail) => mail.idempotencyKey === key && Date.parse(mail.receivedAt) > since)
      .reverse()
  }

  return app
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(400, 'validation_error', 'The request body is not valid JSON.')
  }
}

function read(body: unknown): ReadMail {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Refusal(422, 'validation_error', 'The request body must be an object.')
  }
  const fields = body as Record<string, unknown>
  const from = mailboxes(fields, 'from', 1)[0]
  if (from === undefined) throw missing('from')
  const to = mailboxes(fields, 'to')
  if (to.length === 0) throw missing('to')
  const subject = text(fields, 'subject')
  if (subject === undefined) throw missing('subject')
  const html = text(fields, 'html')
  const plain = text(fields, 'text')
  if (html === undefined && plain === undefined) {
    throw new Refusal(422, 'missing_required_field', 'Missing `html` or `text` field.')
  }
  return {
    provider: 'resend',
    from,
    to,
    cc: mailboxes(fields, 'cc'),
    bcc: mailboxes(fields, 'bcc'),
    replyTo: mailboxes(fields, 'reply_to'),
    subject,
    text: plain ?? '',
    html: html ?? '',
    tags: tags(fields['tags']),
    headers: strings(fields['headers']),
    attachments: attachments(fields['attachments']),
  }
}

function missing(field: string): Refusal {
  return new Refusal(422, 'missing_required_field', `Missing \`${field}\` field.`)
}

function text(fields: Record<string, unknown>, name: string): string | undefined {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string')
    throw new Refusal(422, 'validation_error', `The \`${name}\` field must be a string.`)
  return value
}

function mailboxes(fields: Record<string, unknown>, name: string, max = MAX_RECIPIENTS): string[] {
  const value = fields[name]
  if (value === undefined || value === null || value === '') return []
  const values: unknown[] = Array.isArray(value) ? value : [value]
  if (values.length > max) {
    throw new Refusal(422, 'validation_error', `The \`${name}\` field takes at most ${max} addresses.`)
  }
  return values.map((one) => {
    if (typeof one === 'string' && isMailbox(one)) return one
    throw new Refusal(
      422,
      'validation_error',
      `Invalid \`${name}\` field. The email address needs to follow the \`email@example.com\` or \`Name <email@example.com>\` format.`,
    )
  })
}

function tags(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {}
  if (!Array.isArray(value)) throw new Refusal(422, 'validation_error', 'The `tags` field must be an array.')
  return Object.fromEntries(
    value.map((tag: { name?: unknown; value?: unknown } | null): [string, string] => {
      for (const part of [tag?.name, tag?.value ?? '']) {
        if (typeof part !== 'string' || !/^[A-Za-z0-9_-]{0,256}$/.test(part)) {
          throw new Refusal(
            422,
            'validation_error',
            'Tags should only contain ASCII letters, numbers, underscores, or dashes.',
          )
        }
      }
      return [String(tag?.name), String(tag?.value ?? '')]
    }),
  )
}

function strings(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]))
}

function attachments(value: unknown): StoredMail['attachments'] {
  if (!Array.isArray(value)) return []
  return value.map((one: Record<string, unknown> | null) => ({
    filename: String(one?.['filename'] ?? 'attachment'),
    contentType: String(one?.['content_type'] ?? 'application/octet-stream'),
    size: typeof one?.['content'] === 'string' ? Buffer.from(one['content'], 'base64').length : 0,
  }))
}

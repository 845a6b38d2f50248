import { Hono } from 'hono'
import { fromHere } from '../page.ts'
import type { StandInApp } from '../server.ts'
import { Shelf } from '../shelf.ts'
import { addressOf, type StoredMail } from './message.ts'
import { detailPage, htmlBody, listPage } from './pages.ts'
import { postmarkApi } from './postmark.ts'
import { resendApi } from './resend.ts'

/** Options of {@link createMailboxApp}. */
export interface MailboxAppOptions {
  /** Where mail is kept across restarts. Default: in memory only. */
  readonly file?: string
  /** Most messages kept; the oldest make room. Default 1000. */
  readonly max?: number
  /** API keys and server tokens that are taken. Default: any. */
  readonly keys?: readonly string[]
}

/** Longest time a listing waits for mail, in seconds. */
const MAX_WAIT = 60

/**
 * Stands in for Resend and Postmark: takes mail and shows it.
 *
 * - `POST /emails`, `/emails/batch`, `GET /emails/<id>`: as at Resend.
 * - `POST /email`, `/email/batch`: as at Postmark.
 * - `GET /api/messages?to=&subject=&since=&limit=&wait=`: `{ messages, total }`, newest first; `limit` 100 unless
 *   told; `wait` seconds for a first message that matches, at most 60.
 * - `GET /api/messages/<id>`, `DELETE /api/messages/<id>`, `DELETE /api/messages`.
 * - `GET /`: the same for people.
 */
export function createMailboxApp({ file, max = 1000, keys }: MailboxAppOptions = {}): StandInApp {
  const shelf = new Shelf<StoredMail>({ max, ...(file !== undefined && { file }) })
  const find = (id: string): StoredMail | undefined => shelf.find((mail) => mail.id === id)
  const app = new Hono({ strict: false })

  app.get('/api/messages', async (c) => {
    const { to, subject, since, limit = '100', wait = '0' } = c.req.query()
    if (!/^\d{1,6}$/.test(limit)) return c.json({ error: '"limit" is a whole number.' }, 400)
    if (!/^\d{1,3}(\.\d+)?$/.test(wait)) return c.json({ error: '"wait" is a number of seconds.' }, 400)
    const until = Date.now() + Math.min(Number(wait), MAX_WAIT) * 1000
    for (;;) {
      const found = shelf.list().filter((mail) => matches(mail, { to, subject, since }))
      if (found.length > 0 || Date.now() >= until || c.req.raw.signal.aborted) {
        return c.json({ messages: found.slice(0, Number(limit)), total: found.length })
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })
  app.get('/api/messages/:id', (c) => {
    const mail = find(c.req.param('id'))
    return mail ? c.json(mail) : c.json({ error: 'There is no such message.' }, 404)
  })
  app.delete('/api/messages/:id?', (c) => {
    if (!fromHere(c.req.raw)) return c.json({ error: 'Not from another site.' }, 403)
    const id = c.req.param('id')
    return c.json({ deleted: shelf.remove((mail) => id === undefined || mail.id === id) })
  })
  app.route('/', resendApi(shelf, keys))
  app.route('/', postmarkApi(shelf, keys))

  app.get('/', () => listPage(shelf.list()))
  app.get('/messages/:id', (c) => {
    const mail = find(c.req.param('id'))
    return mail ? detailPage(mail) : c.notFound()
  })
  app.get('/messages/:id/html', (c) => {
    const mail = find(c.req.param('id'))
    return mail ? htmlBody(mail) : c.notFound()
  })
  app.post('/clear', (c) => {
    if (!fromHere(c.req.raw)) return c.text('Not from another site.\n', 403)
    shelf.remove(() => true)
    return c.redirect('/', 303)
  })

  return {
    name: 'mail',
    fetch: (request) => app.fetch(request),
    close: async () => shelf.close(),
  }
}

function matches(
  mail: StoredMail,
  { to, subject, since }: Partial<Record<'to' | 'subject' | 'since', string | undefined>>,
): boolean {
  const recipients = [...mail.to, ...mail.cc, ...mail.bcc].map(addressOf)
  return (
    (to === undefined || recipients.includes(addressOf(to))) &&
    (subject === undefined || mail.subject.toLowerCase().includes(subject.toLowerCase())) &&
    (since === undefined || !(Date.parse(mail.receivedAt) < Date.parse(since)))
  )
}

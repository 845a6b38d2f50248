import { html } from 'hono/html'
import { type Markup, renderPage, when } from '../page.ts'
import { LINK, type StoredMail } from './message.ts'

/** How many rows the list shows. */
const ROWS = 200

/** Every mail, newest first. */
export function listPage(mails: readonly StoredMail[]): Promise<Response> {
  const body =
    mails.length === 0
      ? html`<p class="empty">No mail was sent yet.</p>`
      : html`<table>
            <thead><tr><th>When</th><th>To</th><th>Subject</th><th>From</th></tr></thead>
            <tbody>${mails.slice(0, ROWS).map(
              (mail) => html`<tr>
                <td>${when(mail.receivedAt)}</td>
                <td>${mail.to.join(', ')}</td>
                <td><a href="/messages/${mail.id}">${mail.subject || '(no subject)'}</a></td>
                <td class="dim">${mail.from}</td>
              </tr>`,
            )}</tbody>
          </table>
          ${mails.length > ROWS ? html`<p class="dim">and ${mails.length - ROWS} older</p>` : ''}
          <p><form method="post" action="/clear"><button>Delete all</button></form></p>`
  return renderPage({ title: 'Mailbox', body, live: true })
}

/** One mail: what its header says, its text, and its HTML in a frame of its own. */
export function detailPage(mail: StoredMail): Promise<Response> {
  const facts: [string, string][] = [
    ['From', mail.from],
    ['To', mail.to.join(', ')],
    ['Cc', mail.cc.join(', ')],
    ['Bcc', mail.bcc.join(', ')],
    ['Reply to', mail.replyTo.join(', ')],
    ['Sent', mail.receivedAt],
    ['By', mail.provider],
    [
      'Tags',
      Object.entries(mail.tags)
        .map(([name, value]) => `${name}: ${value}`)
        .join(', '),
    ],
    ['Idempotency key', mail.idempotencyKey ?? ''],
    ...Object.entries(mail.headers),
    ['Attachments', mail.attachments.map(({ filename, size }) => `${filename} (${size} bytes)`).join(', ')],
  ]
  const body = html`
    <table><tbody>${facts.map(([name, value]) =>
      value === '' ? '' : html`<tr><th>${name}</th><td>${value}</td></tr>`,
    )}</tbody></table>
    ${
      mail.links.length === 0
        ? ''
        : html`<h2>Links</h2>${mail.links.map((link) => html`<div>${anchor(link)}</div>`)}`
    }
    ${mail.text === '' ? '' : html`<h2>Text</h2><pre>${linked(mail.text)}</pre>`}
    ${
      mail.html === ''
        ? ''
        : html`<h2>HTML</h2>
          <iframe title="The mail's HTML" sandbox="allow-popups allow-popups-to-escape-sandbox" src="/messages/${mail.id}/html"></iframe>
          <details><summary class="dim">Source</summary><pre>${mail.html}</pre></details>`
    }`
  return renderPage({
    title: mail.subject || '(no subject)',
    back: { href: '/', text: '← Mailbox' },
    body,
  })
}

/**
 * The mail's own HTML. It is whatever the application made: it runs no script, loads nothing from elsewhere,
 * has no origin, and its links open beside it.
 */
export function htmlBody(mail: StoredMail): Response {
  return new Response(`<base target="_blank">${mail.html}`, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: http://127.0.0.1:* http://localhost:*; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    },
  })
}

function anchor(link: string): Markup {
  return html`<a href="${link}" target="_blank" rel="noreferrer">${link}</a>`
}

function linked(text: string): (Markup | string)[] {
  const parts: (Markup | string)[] = []
  let at = 0
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(at, match.index), anchor(match[0]))
    at = match.index + match[0].length
  }
  return [...parts, text.slice(at)]
}

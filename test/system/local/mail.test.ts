import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resetBreakers } from 'breakwater/breaker'
import { createMailboxApp, type StandIn, type StoredMail, serveStandIn } from 'breakwater/local'
import { type Mailer, postmark, resend } from 'breakwater/mail'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let folder: string
let mailbox: StandIn
const file = (): string => join(folder, 'mail.ndjson')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'breakwater-mail-'))
  mailbox = await serveStandIn(createMailboxApp({ file: file() }))
})
afterAll(async () => {
  await mailbox.stop()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  mailbox.faults.clear()
  // One provider that is out is refused at once after a few failures: here each test has its own.
  resetBreakers()
  await fetch(`${mailbox.url}/api/messages`, { method: 'DELETE' })
})

const message = {
  to: 'Ann <ann@example.test>',
  subject: 'Confirm <your> address',
  text: 'Go to http://app.localhost/verify?token=abc&x=1.',
  html: '<a href="http://app.localhost/verify?token=abc&amp;x=1">Confirm</a><script>parent.x=1</script>',
  tag: 'verify-mail',
  replyTo: 'ops@example.test',
}

const providers: [string, (endpoint: string, timeout?: number) => Mailer][] = [
  [
    'Resend',
    (endpoint, timeout = 2000) =>
      resend({ apiKey: 're_key', from: 'Acme <hello@example.test>', endpoint, timeout }),
  ],
  [
    'Postmark',
    (endpoint, timeout = 2000) =>
      postmark({ token: 'tok', from: 'Acme <hello@example.test>', endpoint, timeout }),
  ],
]

async function list(query = ''): Promise<{ messages: StoredMail[]; total: number }> {
  return (await fetch(`${mailbox.url}/api/messages${query}`)).json() as Promise<{
    messages: StoredMail[]
    total: number
  }>
}

describe.each(providers)('mail by way of %s', (name, mailer) => {
  it('arrives whole', async () => {
    const { id } = await mailer(mailbox.url).send(message)
    const { messages } = await list('?to=ANN@example.test')
    expect(messages[0]).toMatchObject({
      id,
      provider: name.toLowerCase(),
      from: 'Acme <hello@example.test>',
      to: ['Ann <ann@example.test>'],
      replyTo: ['ops@example.test'],
      subject: message.subject,
      text: message.text,
      html: message.html,
      links: ['http://app.localhost/verify?token=abc&x=1'],
    })
    expect(Object.values(messages[0]?.tags ?? {})).toEqual(['verify-mail'])
  })

  it.each([
    [{ status: 429, headers: { 'retry-after': '7' } }, 'dependency-unavailable', 0],
    [{ status: 500 }, 'dependency-unavailable', 0],
    [{ status: 503, body: '<html>' }, 'dependency-unavailable', 0],
    [{ status: 401 }, 'misconfigured', 0],
    [{ status: 302, headers: { location: 'http://127.0.0.1:9/' } }, 'misconfigured', 0],
    [
      { status: 422, body: '{"name":"validation_error","message":"ann@example.test"}' },
      'validation-failed',
      0,
    ],
    [{ status: 200, body: 'not json' }, 'outcome-unknown', 0],
    [{ hang: true as const }, 'outcome-unknown', 0],
    [{ drop: 'before' as const }, 'outcome-unknown', 0],
    [{ drop: 'after' as const }, 'outcome-unknown', 1],
  ])('that meets %j ends in %s', async (fault, code, arrived) => {
    mailbox.faults.set([fault])
    const error = await mailer(mailbox.url, 300)
      .send(message)
      .then(
        () => expect.unreachable(),
        (error: Error & { code: string }) => error,
      )
    expect(error.code).toBe(code)
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      expect(cause.message).not.toMatch(/ann@|re_key|tok\b/)
    }
    mailbox.faults.clear()
    expect((await list()).total).toBe(arrived)
  })

  it('says when to try again', async () => {
    mailbox.faults.set([{ status: 429, headers: { 'retry-after': '7' } }])
    await expect(mailer(mailbox.url).send(message)).rejects.toMatchObject({ headers: { 'Retry-After': '7' } })
  })

  it('is not sent at all once it was called off', async () => {
    await expect(mailer(mailbox.url).send(message, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
    expect((await list()).total).toBe(0)
  })

  it('smuggles no header', async () => {
    const sent = mailer(mailbox.url).send({ ...message, subject: 'x\r\nBcc: eve@example.test' })
    await expect(sent).rejects.toMatchObject({ code: 'validation-failed' })
    expect(mailbox.stats().requests).not.toHaveProperty('eve')
    expect((await list()).total).toBe(0)
  })
})

describe('idempotency at Resend', () => {
  const mailer = (): Mailer => resend({ apiKey: 're_key', from: 'hello@example.test', endpoint: mailbox.url })

  it('makes a retry after a lost reply send once', async () => {
    mailbox.faults.set([{ drop: 'after', times: 1 }])
    const options = { idempotencyKey: 'welcome:42' }
    await expect(mailer().send(message, options)).rejects.toMatchObject({ code: 'outcome-unknown' })
    const { id } = await mailer().send(message, options)
    expect((await list()).messages.map((mail) => mail.id)).toEqual([id])
  })

  it('refuses another mail under the same key', async () => {
    await mailer().send(message, { idempotencyKey: 'k' })
    const other = mailer().send({ ...message, text: 'Other' }, { idempotencyKey: 'k' })
    await expect(other).rejects.toMatchObject({ code: 'conflict' })
  })

  it('takes any key, of any length and content', async () => {
    const options = { idempotencyKey: `ünïcode\n${'x'.repeat(500)}` }
    const first = await mailer().send(message, options)
    expect((await mailer().send(message, options)).id).toBe(first.id)
  })
})

describe("the providers' own answers", () => {
  const post = async (path: string, body: unknown, headers: Record<string, string>) => {
    const response = await fetch(`${mailbox.url}${path}`, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return [response.status, await response.json()]
  }
  const bearer = { authorization: 'Bearer re_x' }
  const token = { 'x-postmark-server-token': 't' }
  const mail = { from: 'a@example.test', to: 'b@example.test', subject: 's', html: '<p>' }

  it.each([
    [mail, {}, 401, 'missing_api_key'],
    [{ ...mail, from: undefined }, bearer, 422, 'missing_required_field'],
    [{ ...mail, to: 'nobody' }, bearer, 422, 'validation_error'],
    [{ ...mail, to: Array(51).fill('b@example.test') }, bearer, 422, 'validation_error'],
    [{ ...mail, html: undefined }, bearer, 422, 'missing_required_field'],
    [{ ...mail, tags: [{ name: 'two words', value: 'x' }] }, bearer, 422, 'validation_error'],
    ['{', bearer, 400, 'validation_error'],
  ])('are those of Resend (%#)', async (body, headers, statusCode, name) => {
    expect(await post('/emails', body, headers as Record<string, string>)).toEqual([
      statusCode,
      { statusCode, name, message: expect.any(String) },
    ])
  })

  it.each([
    [{ From: 'a@example.test', To: 'b@example.test', TextBody: 'x' }, {}, 401, 10],
    [{ From: 'a@example.test', TextBody: 'x' }, token, 422, 300],
    [{ From: 'nobody', To: 'b@example.test', TextBody: 'x' }, token, 422, 300],
    [{ From: 'a@example.test', To: 'b@example.test' }, token, 422, 300],
    ['{', token, 422, 402],
  ])('are those of Postmark (%#)', async (body, headers, status, ErrorCode) => {
    expect(await post('/email', body, headers as Record<string, string>)).toEqual([
      status,
      { ErrorCode, Message: expect.any(String) },
    ])
  })

  it('know batches', async () => {
    const [, sent] = await post('/emails/batch', [mail, mail], bearer)
    expect((sent as { data: unknown[] }).data).toHaveLength(2)
    expect((await post('/emails/batch', [mail, {}], bearer))[0]).toBe(422)
    const good = { From: 'a@example.test', To: '"B, c" <b@example.test>, d@example.test', TextBody: 'x' }
    const [, answers] = await post('/email/batch', [good, {}], token)
    expect((answers as { ErrorCode: number }[]).map(({ ErrorCode }) => ErrorCode)).toEqual([0, 300])
    expect((await list('?to=d@example.test')).total).toBe(1)
    expect((await list()).total).toBe(3)
  })
})

describe('the mailbox', () => {
  const mailer = (): Mailer => resend({ apiKey: 're_key', from: 'hello@example.test', endpoint: mailbox.url })

  it('waits for a mail that is under way', async () => {
    const waiting = list('?to=late@example.test&wait=20')
    await mailer().send({ ...message, to: 'late@example.test' })
    expect((await waiting).total).toBe(1)
    expect((await list('?to=never@example.test&wait=0.1')).total).toBe(0)
  })

  it('shows a mail without running it', async () => {
    const { id } = await mailer().send(message)
    const detail = await (await fetch(`${mailbox.url}/messages/${id}`)).text()
    expect(detail).toContain('Confirm &lt;your&gt; address')
    expect(detail).toContain('<a href="http://app.localhost/verify?token=abc&amp;x=1"')
    expect(detail).toMatch(/<iframe[^>]* sandbox="allow-popups allow-popups-to-escape-sandbox"/)
    expect(detail).not.toContain('<script>parent')
    const body = await fetch(`${mailbox.url}/messages/${id}/html`)
    expect(await body.text()).toContain(message.html)
    const policy = body.headers.get('content-security-policy') ?? ''
    expect(policy).toContain('sandbox')
    expect(policy).not.toContain('allow-scripts')
    expect(policy).toContain("default-src 'none'")
  })

  it('makes no link of a scheme that runs', async () => {
    const { id } = await mailer().send({ ...message, html: '<a href="javascript:alert(1)">x</a>', text: 'x' })
    const { messages } = await list()
    expect(messages.find((mail) => mail.id === id)?.links).toEqual([])
  })

  it('keeps mail across a restart, idempotency included', async () => {
    const { id } = await mailer().send(message, { idempotencyKey: 'once' })
    await mailbox.stop()
    mailbox = await serveStandIn(createMailboxApp({ file: file() }))
    expect((await list()).messages.map((mail) => mail.id)).toEqual([id])
    expect((await mailer().send(message, { idempotencyKey: 'once' })).id).toBe(id)
    await fetch(`${mailbox.url}/api/messages/${id}`, { method: 'DELETE' })
    expect((await list()).total).toBe(0)
  })
})

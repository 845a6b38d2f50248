import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isBreakwaterError } from 'breakwater/core'
import { type Mailer, postmark, resend } from 'breakwater/mail'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

// Providers as their documentation has them, on a server of our own.
interface Asked {
  method: string
  path: string
  headers: IncomingHttpHeaders
  body: Record<string, unknown>
}
interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
  never?: boolean
  cut?: boolean
}

let server: Server
let endpoint = ''
let asked: Asked[] = []
let answer: Answer

// One for each test: no test meets the circuit that another has opened.
beforeEach(async () => {
  asked = []
  server = createServer((request, reply) => {
    let text = ''
    request.on('data', (data) => {
      text += data
    })
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      asked.push({ method, path: url, headers, body: JSON.parse(text) })
      if (answer.never) return
      if (answer.cut) return void request.socket.destroy()
      reply.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      reply.end(JSON.stringify(answer.body ?? {}))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const message = {
  to: 'Ada <ada@lighthouse.dev>',
  subject: 'Your light is on',
  text: 'It burns.',
  html: '<p>It burns.</p>',
  replyTo: 'keeper@lighthouse.dev',
  tag: 'light',
}
const from = 'Breakwater <hello@app.example.com>'

const providers: Readonly<
  Record<
    string,
    {
      make(options?: { timeout?: number }): Mailer
      accepted: unknown
      path: string
      /** The provider's own way to refuse what it is given; the sentence repeats the recipient, as real ones do. */
      refused(code: number): unknown
    }
  >
> = {
  resend: {
    make: (options) => resend({ apiKey: 're_secret', from, endpoint, ...options }),
    accepted: { id: 'id-1' },
    path: '/emails',
    refused: (statusCode) => ({ statusCode, name: 'validation_error', message: 'ada@lighthouse.dev is bad' }),
  },
  postmark: {
    make: (options) => postmark({ token: 'secret-token', from, endpoint, ...options }),
    accepted: { ErrorCode: 0, Message: 'OK', MessageID: 'id-1', To: 'ada@lighthouse.dev' },
    path: '/email',
    refused: () => ({
      ErrorCode: 406,
      Message: 'You tried to send to ada@lighthouse.dev, which is inactive',
    }),
  },
}

describe.each(Object.entries(providers))('%s', (_, { make, accepted, path, refused }) => {
  async function failure(mailer: Mailer = make()): Promise<{ code: string; headers: unknown; all: string }> {
    const error = await mailer.send(message).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    if (!isBreakwaterError(error)) throw new Error('It did not fail as it should')
    const all = `${error.message} ${String(error.cause)} ${JSON.stringify(error)} ${error.stack}`
    return { code: error.code, headers: error.headers, all }
  }

  it('is given the message in its own words, and gives its id', async () => {
    answer = { status: 200, body: accepted }
    expect(await make().send(message)).toEqual({ id: 'id-1' })
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatchObject({ method: 'POST', path })
    expect(asked[0]?.headers['content-type']).toBe('application/json')
  })

  it.each([
    [422, 'validation-failed'],
    [400, 'validation-failed'],
    [401, 'misconfigured'],
    [403, 'misconfigured'],
    [429, 'dependency-unavailable'],
    [500, 'dependency-unavailable'],
    [503, 'dependency-unavailable'],
    // A key must not follow elsewhere.
    [302, 'misconfigured'],
  ])('says what a %i means, and nothing of who it was for or of the key', async (status, code) => {
    answer = { status, body: refused(status), headers: { 'retry-after': '7', location: '/elsewhere' } }
    const { all, ...rest } = await failure()
    expect(rest.code).toBe(code)
    expect(all).not.toMatch(/ada@|secret|burns/)
    expect(asked).toHaveLength(1)
    if (status === 429) expect(JSON.stringify(rest.headers)).toContain('7')
  })

  it('does not know what came of it when no answer comes, a cut one, or one that makes no sense', async () => {
    answer = { status: 200, never: true }
    expect((await failure(make({ timeout: 100 }))).code).toBe('outcome-unknown')
    answer = { status: 200, cut: true }
    expect((await failure()).code).toBe('outcome-unknown')
    answer = { status: 200, body: { well: 'done' } }
    expect((await failure()).code).toBe('outcome-unknown')
  })
})

it('Resend hears the key of a mail, in a form that it takes, and who it is from', async () => {
  answer = { status: 200, body: providers['resend']?.accepted }
  const mailer = resend({ apiKey: 're_secret', from, endpoint })
  await mailer.send(message, { idempotencyKey: 'welcome:1' })
  await mailer.send(message, { idempotencyKey: 'ä'.repeat(300) })
  expect(asked[0]?.headers).toMatchObject({
    authorization: 'Bearer re_secret',
    'idempotency-key': 'welcome:1',
  })
  expect(asked[1]?.headers['idempotency-key']).toMatch(/^[\da-f]{64}$/)
  expect(asked[0]?.body).toEqual({
    from: expect.stringContaining('<hello@app.example.com>'),
    to: [expect.stringContaining('<ada@lighthouse.dev>')],
    subject: 'Your light is on',
    text: 'It burns.',
    html: '<p>It burns.</p>',
    reply_to: 'keeper@lighthouse.dev',
    tags: [{ name: 'category', value: 'light' }],
  })
})

it('Postmark hears its token and its stream, and tracks nobody', async () => {
  answer = { status: 200, body: providers['postmark']?.accepted }
  await postmark({ token: 'secret-token', from, endpoint, stream: 'notices' }).send(message)
  expect(asked[0]?.headers['x-postmark-server-token']).toBe('secret-token')
  expect(asked[0]?.body).toEqual({
    From: expect.stringContaining('<hello@app.example.com>'),
    To: expect.stringContaining('<ada@lighthouse.dev>'),
    ReplyTo: 'keeper@lighthouse.dev',
    Subject: 'Your light is on',
    TextBody: 'It burns.',
    HtmlBody: '<p>It burns.</p>',
    Tag: 'light',
    MessageStream: 'notices',
    TrackOpens: false,
    TrackLinks: 'None',
  })
})

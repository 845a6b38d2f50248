import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatMailbox, parseMailbox } from '../../../src/mail/address.ts'
import { cloudflareEmail, memoryMailer, postmark, resend } from '../../../src/mail/index.ts'
import { checkMessage } from '../../../src/mail/message.ts'

const message = { to: 'ann@example.test', subject: 'Hello', text: 'Hi', html: '<p>Hi</p>' }

describe('mailboxes', () => {
  it.each([
    ['ann@example.test', { email: 'ann@example.test' }],
    ['  ann@example.test ', { email: 'ann@example.test' }],
    ['Ann <ann@example.test>', { email: 'ann@example.test', name: 'Ann' }],
    ['"Ann, of \\"Acme\\"" <ann@example.test>', { email: 'ann@example.test', name: 'Ann, of "Acme"' }],
    ['<ann@example.test>', { email: 'ann@example.test' }],
    ['Ännchen <ann@exämple.test>', { email: 'ann@exämple.test', name: 'Ännchen' }],
  ])('reads %j', (text, mailbox) => {
    expect(parseMailbox(text)).toEqual(mailbox)
  })

  it.each([
    '',
    'ann',
    'ann@',
    '@example.test',
    'ann@example.test, bob@example.test',
    'ann@example.test bob@example.test',
    'Ann <ann@example.test> <bob@example.test>',
    'Ann, Bob <ann@example.test>',
    'ann@example..test',
    'ann@example.test\r\nBcc: bob@example.test',
    'Ann\n <ann@example.test>',
    '"Ann\r\nBcc: x" <ann@example.test>',
    'ann@example.test\u2028x',
  ])('refuses %j', (text) => {
    expect(parseMailbox(text)).toBeUndefined()
  })

  it('writes any name so that it reads back the same', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
      .map((text) => text.trim())
      .filter((text) => text !== '' && !/[\p{Cc}\u2028\u2029]/u.test(text))
    fc.assert(
      fc.property(name, (name) => {
        const mailbox = { email: 'ann@example.test', name }
        expect(parseMailbox(formatMailbox(mailbox))).toEqual(mailbox)
      }),
    )
  })

  it('lets no line break through, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('\r', '\n', '\r\n', '\0', '\u0085'),
        fc.string(),
        (a, control, b) => {
          expect(parseMailbox(`${a}${control}${b}`)).toBeUndefined()
        },
      ),
    )
  })
})

describe('messages', () => {
  const sender = { email: 'hello@example.test' }

  it.each([
    ['/to', { to: 'ann@example.test,bob@example.test' }],
    ['/from', { from: 'x\r\nBcc: bob@example.test' }],
    ['/replyTo', { replyTo: 'nobody' }],
    ['/subject', { subject: 'Hello\r\nBcc: bob@example.test' }],
    ['/subject', { subject: ' ' }],
    ['/subject', { subject: 'x'.repeat(2000) }],
    ['/text', { text: '' }],
    ['/html', { html: '' }],
    ['/tag', { tag: 'two words' }],
  ])('refuses a wrong %s without repeating it', (pointer, change) => {
    try {
      checkMessage({ ...message, ...change }, sender)
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code: 'validation-failed', status: 422, fields: [{ pointer }] })
      expect(JSON.stringify({ ...(error as Error), message: (error as Error).message })).not.toContain('bob@')
    }
  })

  it('uses the sender the mailer was built with, unless the message names one', () => {
    expect(checkMessage(message, sender).from).toEqual(sender)
    expect(checkMessage({ ...message, from: 'Ops <ops@example.test>' }, sender).from).toEqual({
      email: 'ops@example.test',
      name: 'Ops',
    })
  })
})

describe('building a mailer', () => {
  it.each([
    () => resend({ apiKey: '', from: 'a@example.test' }),
    () => resend({ apiKey: 'k', from: 'nobody' }),
    () => resend({ apiKey: 'k', from: 'a@example.test', endpoint: 'ftp://example.test' }),
    () => resend({ apiKey: 'k', from: 'a@example.test', timeout: 0 }),
    () => postmark({ token: '', from: 'a@example.test' }),
    () => postmark({ token: 't', from: 'a@example.test', stream: '' }),
    () => cloudflareEmail({ binding: {} as SendEmail, from: 'a@example.test' }),
  ])('fails at once when an option is wrong (%#)', (build) => {
    expect(build).toThrow(TypeError)
  })
})

describe('the mailer that remembers', () => {
  it('keeps what it was given and sends nothing twice under one key', async () => {
    const mailer = memoryMailer()
    const first = await mailer.send(message, { idempotencyKey: 'welcome:1' })
    const again = await mailer.send(message, { idempotencyKey: 'welcome:1' })
    const other = await mailer.send({ ...message, to: 'bob@example.test' })
    expect(again.id).toBe(first.id)
    expect(mailer.sent.map(({ id }) => id)).toEqual([first.id, other.id])
    expect(mailer.last('ann@example.test')?.id).toBe(first.id)
    mailer.clear()
    expect(mailer.sent).toHaveLength(0)
  })

  it('refuses what the real ones refuse', async () => {
    await expect(memoryMailer().send({ ...message, to: 'a\nb' })).rejects.toMatchObject({
      code: 'validation-failed',
    })
  })
})

describe('Cloudflare Email', () => {
  const mailer = (send: (message: unknown) => Promise<unknown>, timeout?: number) =>
    cloudflareEmail({
      binding: { send } as unknown as SendEmail,
      from: 'Acme <hello@example.test>',
      ...(timeout !== undefined && { timeout }),
    })

  it('hands the binding its structured form', async () => {
    let seen: unknown
    const sent = await mailer(async (given) => {
      seen = given
      return { messageId: 'm1' }
    }).send({ ...message, to: 'Ann <ann@example.test>', replyTo: 'ops@example.test' })
    expect(sent).toEqual({ id: 'm1' })
    expect(seen).toEqual({
      to: 'ann@example.test',
      from: { email: 'hello@example.test', name: 'Acme' },
      replyTo: 'ops@example.test',
      subject: 'Hello',
      text: 'Hi',
      html: '<p>Hi</p>',
    })
  })

  it.each([
    ['E_RECIPIENT_NOT_ALLOWED', 'validation-failed'],
    ['E_VALIDATION_ERROR', 'validation-failed'],
    ['E_SENDER_NOT_VERIFIED', 'misconfigured'],
    ['E_RATE_LIMIT_EXCEEDED', 'dependency-unavailable'],
    ['E_INTERNAL_SERVER_ERROR', 'dependency-unavailable'],
  ])('reports %s as %s, without the recipient', async (code, ours) => {
    const failing = mailer(() =>
      Promise.reject(Object.assign(new Error('no mail to ann@example.test'), { code })),
    )
    const error = await failing.send(message).catch((error: unknown) => error as Error)
    expect(error).toMatchObject({ code: ours })
    expect(`${(error as Error).message} ${String((error as Error).cause)}`).not.toContain('ann@')
  })

  it('does not wait for ever', async () => {
    await expect(mailer(() => new Promise(() => {}), 20).send(message)).rejects.toMatchObject({
      code: 'outcome-unknown',
    })
  })
})

import { escapeHtml, html, letter, mailTemplate, memoryMailer } from 'breakwater/mail'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const welcome = mailTemplate<{ name: string; link: string }>({
  subject: ({ name }) => `Welcome aboard, ${name}`,
  text: ({ name, link }) => `Hello ${name}: ${link}\n`,
  html: ({ name, link }) => html`<p title="${name}">Hello ${name},</p><a href="${link}">your harbour</a>`,
})
const link = 'https://lighthouse.dev/harbour?a=1&b=2'

describe('a template', () => {
  it('makes subject, text and a whole page of one set of data', () => {
    expect(welcome({ name: 'Ada & "Co" <x>', link })).toEqual({
      subject: 'Welcome aboard, Ada & "Co" <x>',
      text: `Hello Ada & "Co" <x>: ${link}\n`,
      html: '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Welcome aboard, Ada &amp; &quot;Co&quot; &lt;x&gt;</title></head><body><p title="Ada &amp; &quot;Co&quot; &lt;x&gt;">Hello Ada &amp; &quot;Co&quot; &lt;x&gt;,</p><a href="https://lighthouse.dev/harbour?a=1&amp;b=2">your harbour</a></body></html>',
    })
  })

  it('lets nothing that a user wrote become markup, wherever it stands', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const made = welcome({ name, link }).html
        const plain = welcome({ name: '', link }).html
        const count = (text: string, what: RegExp) => text.match(what)?.length ?? 0
        for (const what of [/</g, />/g, /"/g, /'/g, /`/g]) expect(count(made, what)).toBe(count(plain, what))
      }),
    )
  })

  it('sends a mail whoever somebody says to be: a name is no second header', async () => {
    const mailer = memoryMailer()
    const name = 'Eve\r\nBcc: everybody@example.test\u2028'
    await mailer.send({ to: 'ada@lighthouse.dev', ...welcome({ name, link }) })
    expect(mailer.last()?.subject).toBe('Welcome aboard, Eve Bcc: everybody@example.test')
  })

  it('refuses markup that nobody has escaped', () => {
    const sloppy = mailTemplate<string>({
      subject: () => 'x',
      text: () => 'x',
      html: ((name: string) => `<p>${name}</p>`) as never,
    })
    expect(() => sloppy('Ada')).toThrow('made by html')
  })
})

describe('html', () => {
  it('takes markup, lists of it, numbers, and nothing', () => {
    const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`)
    expect(String(html`<ul>${items}</ul>${false}${null}${undefined}${0}`)).toBe(
      '<ul><li>a</li><li>&lt;b&gt;</li></ul>0',
    )
  })

  it.each([
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'JAVASCRIPT:alert(1)',
    'data:text/html,x',
    '//evil.test',
    '/path',
    '',
  ])('refuses the address %j', (address) => {
    expect(() => html`<a href="${address}">x</a>`).toThrow(TypeError)
    expect(() => html`<img src='${address}'>`).toThrow(TypeError)
  })

  it('refuses an attribute without quotes', () => {
    expect(() => html`<p title=${'a onclick=b'}>x</p>`).toThrow('quote')
  })

  it('cannot be made by hand', () => {
    const made = html`<p>x</p>`
    expect(() => new (made.constructor as new (text: string) => unknown)('<script>')).toThrow('html`')
  })

  it('escapes text for places of its own', () => {
    expect(escapeHtml(`<a href='x'>&"\``)).toBe('&lt;a href=&#39;x&#39;&gt;&amp;&quot;&#96;')
  })
})

it('a letter says the same in text and in HTML', () => {
  const mail = letter('Your order', ['Thank you, <Ada>.', { label: 'Look at it', link }, 'Until soon.'])
  expect(mail.text).toBe(`Thank you, <Ada>.\n\nLook at it: ${link}\n\nUntil soon.\n`)
  expect(mail.html).toContain(
    '<body><p>Thank you, &lt;Ada&gt;.</p><p><a href="https://lighthouse.dev/harbour?a=1&amp;b=2">Look at it</a></p><p>Until soon.</p></body>',
  )
})

import { must, NotApplicable, type Requirement, type Subject } from './adapter.ts'
import { GOOD } from './subject.ts'

async function cookieLine({ on, guest }: Subject): Promise<string> {
  const { browser } = await guest()
  const line = browser.setCookies.find((one) => one.startsWith(`${on.cookie}=`))
  must(line !== undefined, `No cookie ${on.cookie} was set`)
  return line
}

async function bearer(subject: Subject): Promise<{ token: string; ask(token: string): Promise<boolean> }> {
  const { on, person, browser } = subject
  if (on.accessToken === undefined) throw new NotApplicable('no self-contained tokens')
  const { email, password } = await person()
  const token = await on.accessToken(browser(), email, password)
  return {
    token,
    ask: async (text) =>
      (await browser().send('GET', '/me', undefined, { authorization: `Bearer ${text}` })).ok,
  }
}

/** Changes what a token says and leaves its signature. */
function rewritten(token: string, change: (list: unknown[]) => void): string {
  const [head = '', mac = ''] = token.slice(5).split('.')
  const list = JSON.parse(Buffer.from(head, 'base64url').toString()) as unknown[]
  change(list)
  return `${token.slice(0, 5)}${Buffer.from(JSON.stringify(list)).toString('base64url')}.${mac}`
}

const headOf = (token: string): string => token.slice(5).split('.')[0] ?? ''

const noServer = 'no OAuth client or server'

/** V3, V9, V10, V11 and V16, as far as sessions and accounts are concerned. */
export const webRows: readonly Requirement[] = [
  {
    id: '3.3.1',
    level: 1,
    title: 'Cookies are Secure and have a prefix',
    async run(subject) {
      const line = await cookieLine(subject)
      must(/;\s*secure/i.test(line) && /^__(Host|Secure)-/.test(line), line.replace(/=[^;]*/, '=…'))
    },
  },
  {
    id: '3.3.2',
    level: 2,
    title: 'Cookies have SameSite',
    async run(subject) {
      must(/;\s*samesite=(lax|strict)/i.test(await cookieLine(subject)), 'SameSite is missing or None')
    },
  },
  {
    id: '3.3.3',
    level: 2,
    title: 'Cookies have the __Host- prefix',
    async run(subject) {
      const line = await cookieLine(subject)
      must(
        line.startsWith('__Host-') && /;\s*path=\/(;|$)/i.test(line) && !/domain=/i.test(line),
        'They do not',
      )
    },
  },
  {
    id: '3.3.4',
    level: 2,
    title: 'The session cookie is HttpOnly, and its token in Set-Cookie only',
    async run(subject) {
      must(/;\s*httponly/i.test(await cookieLine(subject)), 'It is not HttpOnly')
      const { on, person, browser } = subject
      const { email, password } = await person()
      const visitor = browser()
      const reply = await on.signIn(visitor, email, password)
      const token = decodeURIComponent(visitor.cookies.get(on.cookie) ?? '').split('.')[0] ?? ''
      must(token !== '' && !reply.text.includes(token), 'The token is in the body too')
    },
  },
  {
    id: '3.5.1',
    level: 1,
    title: 'Requests that another site sends are refused',
    async run({ on, guest }) {
      const { browser } = await guest()
      const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
      const { method, path, body } = on.change
      must(!(await browser.send(method, path, body, evil)).ok, 'One was obeyed')
    },
  },
  {
    id: '3.5.2',
    level: 1,
    title: 'What needs no preflight is refused, or needs a header',
    async run({ on, guest }) {
      const { email, browser } = await guest()
      for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
        const body = JSON.stringify({ email, password: GOOD })
        const reply = await browser.send('POST', on.change.path, body, {
          'content-type': type,
          origin: 'https://evil.example',
          'sec-fetch-site': 'cross-site',
        })
        must(!reply.ok, `${type} of another site was obeyed`)
      }
    },
  },
  {
    id: '3.5.3',
    level: 1,
    title: 'Safe methods change nothing',
    async run({ on, guest }) {
      const { browser } = await guest()
      await browser.send('GET', on.change.path)
      await browser.send('HEAD', on.change.path)
      must(
        !(await browser.send('GET', on.change.path)).ok && (await on.signedIn(browser)),
        'GET did something',
      )
    },
  },
  {
    id: '9.1.1',
    level: 1,
    title: 'Self-contained tokens are believed by their signature only',
    async run(subject) {
      const { token, ask } = await bearer(subject)
      must(await ask(token), 'A genuine token was refused')
      must(
        !(await ask(rewritten(token, (list) => list.splice(4, 1, ['admin'])))),
        'A changed token was taken',
      )
      must(!(await ask(`${token.split('.')[0]}.`)), 'A token without a signature was taken')
    },
  },
  {
    id: '9.1.2',
    level: 1,
    title: 'Only algorithms on a list are taken',
    async run(subject) {
      const { ask } = await bearer(subject)
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      for (const alg of ['none', 'HS256', 'RS256']) {
        must(
          !(await ask(`${part({ alg, typ: 'JWT' })}.${part({ sub: 'x' })}.`)),
          `A JWT with ${alg} was taken`,
        )
      }
    },
  },
  {
    id: '9.1.3',
    level: 1,
    title: 'Keys come from a trusted place, never out of the token',
    async run(subject) {
      const { ask } = await bearer(subject)
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const head = {
        alg: 'HS256',
        jwk: { kty: 'oct', k: 'AAAA' },
        jku: 'https://evil.example/keys',
        kid: '../../dev/null',
      }
      must(!(await ask(`${part(head)}.${part({ sub: 'x' })}.AAAA`)), 'A token that brings its key was taken')
    },
  },
  {
    id: '9.2.1',
    level: 1,
    title: 'Tokens are refused outside of their time',
    async run(subject) {
      const { token, ask } = await bearer(subject)
      const { signAccess } = subject.on
      if (signAccess === undefined) throw new NotApplicable('its key is not known here')
      const made = (minutes: number) =>
        headOf(rewritten(token, (list) => list.splice(0, 1, Date.now() + minutes * 60_000)))
      must(await ask(await signAccess(made(-9))), 'A token of nine minutes ago was refused')
      must(!(await ask(await signAccess(made(-11)))), 'A token of eleven minutes ago was taken')
      must(!(await ask(await signAccess(made(5)))), 'A token of the future was taken')
    },
  },
  {
    id: '9.2.2',
    level: 2,
    title: 'Tokens are taken for their own purpose only',
    async run(subject) {
      const { token, ask } = await bearer(subject)
      const { on, guest, browser } = subject
      const visitor = browser()
      visitor.cookies.set(on.cookie, token)
      must(!(await on.signedIn(visitor)), 'An access token was taken for a cookie')
      const { browser: other } = await guest()
      for (const value of other.cookies.values())
        must(!(await ask(value)), 'A cookie was taken for an access token')
    },
  },
  {
    id: '9.2.3',
    level: 2,
    title: 'Tokens are taken by their own audience only',
    async run(subject) {
      const { token, ask } = await bearer(subject)
      const { signAccess } = subject.on
      if (signAccess === undefined) throw new NotApplicable('its key is not known here')
      must(await ask(await signAccess(headOf(token))), 'A token signed anew for this audience was refused')
      must(
        !(await ask(await signAccess(headOf(token), 'https://other.example'))),
        'A token for somebody else was taken',
      )
    },
  },
  {
    id: '9.2.4',
    level: 2,
    title: 'Issuers that share a key name the audience',
    na: 'one issuer and one audience',
  },
  { id: '10.2.1', level: 2, title: 'PKCE or state against forged callbacks', na: noServer },
  { id: '10.2.2', level: 2, title: 'Mix-up of providers is prevented', na: noServer },
  {
    id: '11.4.2',
    level: 2,
    title: 'Passwords are stored by an approved key derivation function',
    async run({ on, person }) {
      await person()
      if (on.atRest === undefined) throw new NotApplicable('its store cannot be read from here')
      const stored = await on.atRest()
      must(/\$argon2id\$v=19\$m=(?:19456,t=2|12288,t=3),p=1\$/.test(stored), 'Not at an approved cost')
      must(!stored.includes(GOOD), 'A password is there in clear')
    },
  },
  {
    id: '16.2.5',
    level: 2,
    title: 'Neither passwords nor tokens are logged',
    async run({ on, guest, browser }) {
      const { browser: visitor, email } = await guest()
      await on.signIn(browser(), email, 'a wrong password that nobody has')
      const key = await on.apiKey?.(visitor)
      if (key !== undefined) {
        await browser().send('GET', `/nowhere?key=${key}`, undefined, { authorization: `Bearer ${key}` })
      }
      if (on.logs === undefined) throw new NotApplicable('its log cannot be read from here')
      await new Promise((resolve) => setTimeout(resolve, 300))
      const logs = on.logs()
      must(logs.length > 0, 'Nothing was logged')
      const secrets = [GOOD, 'a wrong password that nobody has', email, ...visitor.cookies.values()]
      for (const secret of key === undefined ? secrets : [...secrets, key]) {
        must(!logs.includes(secret), 'One was logged')
      }
    },
  },
  {
    id: '16.3.1',
    level: 2,
    title: 'Authentication is recorded, successes and failures',
    async run({ on, guest, browser }) {
      const { email } = await guest()
      await on.signIn(browser(), email, 'a wrong password that nobody has')
      must(on.events !== undefined, 'There is no record')
      for (let tries = 0; tries < 30; tries++) {
        const events = await on.events(email)
        if (
          ['signed-up', 'mail-verified', 'signed-in', 'sign-in-failed'].every((type) => events.includes(type))
        )
          return
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      throw new Error('Something is missing in the record')
    },
  },
  {
    id: '16.4.2',
    level: 2,
    title: 'What is recorded cannot be changed',
    async run({ on, guest }) {
      const { email } = await guest()
      must(on.tamper !== undefined && on.events !== undefined, 'There is no record')
      const passed = await on.tamper(email)
      must(passed.length === 0, `The database took: ${passed.join('; ')}`)
      must((await on.events(email)).includes('signed-in'), 'The record is gone')
    },
  },
]

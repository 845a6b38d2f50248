import { stepAt, totpCode } from '../../../src/auth/totp.ts'
import { type Adapter, must, NotApplicable, type Requirement, type Subject } from './adapter.ts'
import type { Browser } from './browser.ts'
import { GOOD, OTHER } from './subject.ts'

interface WithFactor {
  readonly email: string
  readonly password: string
  readonly browser: Browser
  readonly secret: Uint8Array<ArrayBuffer>
  readonly recovery: readonly string[]
  readonly on: Adapter & Required<Pick<Adapter, 'asksForCode' | 'code' | 'recoveryCode'>>
}

async function withFactor({ on, guest }: Subject): Promise<WithFactor> {
  const { enrol, asksForCode, code, recoveryCode } = on
  if (enrol === undefined || asksForCode === undefined || code === undefined || recoveryCode === undefined) {
    throw new Error('There is no second factor')
  }
  const somebody = await guest()
  const factor = await enrol(somebody.browser, somebody.password)
  return { ...somebody, ...factor, on: { ...on, asksForCode, code, recoveryCode } }
}

const now = (secret: Uint8Array<ArrayBuffer>, drift = 0) => totpCode(secret, stepAt(Date.now()) + drift)

async function until(check: () => Promise<boolean>, complaint: string): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(complaint)
}

const median = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0

const noFederation = 'no sign-in by an identity provider'

/** V6.3 to V6.8: authentication itself. */
export const authenticationRows: readonly Requirement[] = [
  {
    id: '6.3.1',
    level: 1,
    title: 'Guessing is throttled, by account and not by address alone, and nobody is locked out by it',
    async run({ on, guest, browser }) {
      const { email, password, browser: owner } = await guest()
      await on.signOut(owner)
      let refused = false
      // From a new address each time, as a botnet does.
      for (let i = 0; i < 14 && !refused; i++) {
        refused = (await on.signIn(browser(), email, `${OTHER} ${i}`)).status === 429
      }
      must(refused, 'Fourteen wrong passwords from as many addresses were all checked')
      must((await on.signIn(owner, email, password)).ok, 'The owner, on a known device, is locked out')
    },
  },
  {
    id: '6.3.2',
    level: 1,
    title: 'There are no default accounts',
    async run({ on, browser }) {
      for (const email of [
        'admin@example.com',
        'root@localhost.localdomain',
        'admin@admin.com',
        'test@test.com',
      ]) {
        for (const password of ['admin', 'password', 'changeme']) {
          must(!(await on.signIn(browser(), email, password)).ok, `${email} exists`)
        }
      }
    },
  },
  {
    id: '6.3.3',
    level: 2,
    title: 'A second factor can be required',
    async run(subject) {
      const { on, email, password, secret } = await withFactor(subject)
      const browser = subject.browser()
      const reply = await on.signIn(browser, email, password)
      must(on.asksForCode(reply) && !(await on.signedIn(browser)), 'The password alone was enough')
      must((await on.code(browser, reply, await now(secret))).ok, 'A right code was refused')
      must(await on.signedIn(browser), 'A right code did not sign in')
    },
  },
  {
    id: '6.3.4',
    level: 2,
    title: 'All pathways are equally strong',
    async run(subject) {
      const { on, email, password } = await withFactor(subject)
      const browser = subject.browser()
      if (on.accessToken !== undefined) {
        const token = await on.accessToken(browser, email, password).catch(() => undefined)
        must(token === undefined, 'Tokens are given without the second factor')
      }
      await on.forgot(browser, email)
      await on.reset(browser, await on.resetToken(email), OTHER)
      must(!(await on.signedIn(browser)), 'A reset signs in without the second factor')
      must(
        on.asksForCode(await on.signIn(browser, email, OTHER)),
        'After a reset the second factor is not asked for',
      )
    },
  },
  {
    id: '6.3.5',
    level: 3,
    title: 'The user is told of a sign-in on a new device',
    async run({ on, guest, browser }) {
      const { email, password } = await guest()
      await on.signIn(browser(), email, password)
      await until(
        async () => (await on.mails(email)).some(({ subject }) => /new sign-in|new device/i.test(subject)),
        'No mail came',
      )
    },
  },
  {
    id: '6.3.7',
    level: 3,
    title: 'The user is told of changes to how they authenticate',
    async run({ on, guest }) {
      const { email, password, browser } = await guest()
      await on.changePassword(browser, password, OTHER)
      await until(
        async () => (await on.mails(email)).some(({ subject }) => /password.*changed/i.test(subject)),
        'No mail about a changed password came',
      )
      must(on.changeMail !== undefined, 'The address cannot be changed')
      await on.signIn(browser, email, OTHER)
      await on.changeMail(browser, `new-${email}`)
      await until(
        async () => (await on.mails(email)).some(({ subject }) => /address.*chang/i.test(subject)),
        'No mail about a change of address came to the old one',
      )
    },
  },
  {
    id: '6.3.8',
    level: 3,
    title: 'Nothing tells whether an account exists, neither a reply nor its time',
    async run({ on, person, browser, address }) {
      const { email } = await person()
      const same = (a: { status: number; text: string }, b: { status: number; text: string }, what: string) =>
        must(
          a.status === b.status && normal(a.text) === normal(b.text),
          `${what} answers ${a.status} for a known and ${b.status} for an unknown address, or in other words: ${a.text.slice(0, 200)} / ${b.text.slice(0, 200)}`,
        )
      const normal = (text: string) =>
        text.replaceAll(/[\w.+-]+@people\.example/g, 'ADDRESS').replaceAll(/"[\w:.-]{16,}"/g, 'ID')
      same(await on.signIn(browser(), email, OTHER), await on.signIn(browser(), address(), OTHER), 'Sign-in')
      same(await on.forgot(browser(), email), await on.forgot(browser(), address()), 'Forgot')
      same(await on.signUp(browser(), email, GOOD), await on.signUp(browser(), address(), GOOD), 'Sign-up')
      const times: [number[], number[]] = [[], []]
      for (let i = 0; i < 8; i++) {
        for (const [kind, who] of [email, address()].entries()) {
          const start = performance.now()
          await on.signIn(browser(), who, OTHER)
          times[kind as 0 | 1].push(performance.now() - start)
        }
      }
      const [known, unknown] = times.map(median) as [number, number]
      must(
        Math.max(known, unknown) < 2 * Math.min(known, unknown),
        `${known} ms for known, ${unknown} ms for unknown`,
      )
    },
  },
  {
    id: '6.4.1',
    level: 1,
    title: 'Initial secrets are random and expire',
    async run({ on, person, browser }) {
      const { email } = await person()
      await on.forgot(browser(), email)
      const token = await on.resetToken(email)
      must(token.length >= 22, 'A token is short')
      if (on.expireTokens === undefined) return
      await on.expireTokens(email)
      must(!(await on.reset(browser(), token, OTHER)).ok, 'A token of yesterday was taken')
    },
  },
  {
    id: '6.4.2',
    level: 1,
    title: 'There are no hints and no secret questions',
    async run({ on, person, browser }) {
      const { email } = await person()
      const replies = [await on.signIn(browser(), email, OTHER), await on.forgot(browser(), email)]
      for (const { text } of replies)
        must(!/hint|question/i.test(text), 'A reply speaks of a hint or a question')
    },
  },
  {
    id: '6.4.3',
    level: 2,
    title: 'A reset does not take off the second factor',
    async run(subject) {
      const { on, email } = await withFactor(subject)
      const browser = subject.browser()
      await on.forgot(browser, email)
      must((await on.reset(browser, await on.resetToken(email), OTHER)).ok, 'The reset was refused')
      must(on.asksForCode(await on.signIn(browser, email, OTHER)), 'The second factor is gone')
    },
  },
  {
    id: '6.4.4',
    level: 2,
    title: 'A lost factor is made up for by a recovery code, nothing less',
    async run(subject) {
      const { on, email, password, recovery } = await withFactor(subject)
      const browser = subject.browser()
      const reply = await on.signIn(browser, email, password)
      must((await on.recoveryCode(browser, reply, recovery[0] ?? '')).ok, 'A recovery code was refused')
      must(await on.signedIn(browser), 'It did not sign in')
    },
  },
  {
    id: '6.5.1',
    level: 2,
    title: 'Codes, recovery codes and mailed tokens work once',
    async run(subject) {
      const { on, email, password, secret, recovery } = await withFactor(subject)
      const attempt = async (
        use: (browser: Browser, reply: Awaited<ReturnType<Adapter['signIn']>>) => Promise<unknown>,
      ) => {
        const browser = subject.browser()
        await use(browser, await on.signIn(browser, email, password))
        return on.signedIn(browser)
      }
      const code = await now(secret, 1)
      must(await attempt((b, r) => on.code(b, r, code)), 'A right code was refused')
      must(!(await attempt((b, r) => on.code(b, r, code))), 'A code was taken twice')
      must(await attempt((b, r) => on.recoveryCode(b, r, recovery[0] ?? '')), 'A recovery code was refused')
      must(
        !(await attempt((b, r) => on.recoveryCode(b, r, recovery[0] ?? ''))),
        'A recovery code was taken twice',
      )
      await on.forgot(subject.browser(), email)
      const token = await on.resetToken(email)
      must((await on.reset(subject.browser(), token, OTHER)).ok, 'A reset was refused')
      must(!(await on.reset(subject.browser(), token, GOOD)).ok, 'A reset token was taken twice')
    },
  },
  {
    id: '6.5.2',
    level: 2,
    title: 'Recovery codes are hashed at rest',
    async run(subject) {
      const { on, recovery } = await withFactor(subject)
      if (on.atRest === undefined) throw new NotApplicable('its store cannot be read from here')
      const stored = await on.atRest()
      must(
        !recovery.some((code) => stored.includes(code) || stored.includes(code.replaceAll('-', ''))),
        'They are there in clear',
      )
    },
  },
  {
    id: '6.5.3',
    level: 2,
    title: 'Codes and secrets are random',
    async run(subject) {
      const [one, two] = [await withFactor(subject), await withFactor(subject)]
      const all = [...one.recovery, ...two.recovery]
      must(new Set(all).size === all.length && all.length >= 10, 'Recovery codes repeat')
      must(
        String(one.secret) !== String(two.secret) && one.secret.length >= 16,
        'Secrets repeat or are short',
      )
    },
  },
  {
    id: '6.5.4',
    level: 2,
    title: 'Recovery codes have 20 bits at least',
    async run(subject) {
      const { recovery } = await withFactor(subject)
      must(
        recovery.every((code) => code.replaceAll('-', '').length >= 8),
        'They are short',
      )
    },
  },
  {
    id: '6.5.5',
    level: 2,
    title: 'Codes live for 30 seconds and a neighbour, mailed tokens for ten minutes',
    async run(subject) {
      const { on, email, password, secret } = await withFactor(subject)
      for (const drift of [-3, 3]) {
        const browser = subject.browser()
        const reply = await on.signIn(browser, email, password)
        await on.code(browser, reply, await now(secret, drift))
        must(!(await on.signedIn(browser)), `A code ${drift} steps away was taken`)
      }
      await on.forgot(subject.browser(), email)
      await on.resetToken(email)
      must(on.resetMinutes <= 10, `A mailed token lives for ${on.resetMinutes} minutes`)
      if (on.expireTokens === undefined) return
      const mail = (await on.mails(email)).find(({ subject }) => /choose a new/i.test(subject))
      must(mail?.text.includes(`${on.resetMinutes} minutes`) === true, 'The mail says another time')
    },
  },
  {
    id: '6.6.2',
    level: 2,
    title: 'A second step is bound to its own first step',
    async run(subject) {
      const [ann, bob] = [await withFactor(subject), await withFactor(subject)]
      const browser = subject.browser()
      const reply = await ann.on.signIn(browser, ann.email, ann.password)
      await ann.on.code(browser, reply, await now(bob.secret))
      must(!(await ann.on.signedIn(browser)), "Somebody else's code was taken")
      const bare = subject.browser()
      await ann.on.code(bare, { ...reply, json: {} }, await now(ann.secret))
      must(!(await ann.on.signedIn(bare)), 'A code without its first step was taken')
    },
  },
  {
    id: '6.6.3',
    level: 2,
    title: 'Guessing codes is throttled',
    async run(subject) {
      const { on, email, password } = await withFactor(subject)
      const browser = subject.browser()
      const reply = await on.signIn(browser, email, password)
      let refused = false
      for (let i = 0; i < 14 && !refused; i++) {
        const guesser = subject.browser()
        for (const [name, value] of browser.cookies) guesser.cookies.set(name, value)
        const { status } = await on.code(guesser, reply, String(100_000 + i))
        refused = status === 429
      }
      must(refused, 'Fourteen wrong codes were all checked')
    },
  },
  { id: '6.8.1', level: 2, title: 'Identities are of provider and subject', na: noFederation },
  { id: '6.8.2', level: 2, title: 'Assertions have valid signatures', na: noFederation },
  { id: '6.8.4', level: 2, title: 'acr, amr and auth_time are honoured', na: noFederation },
]

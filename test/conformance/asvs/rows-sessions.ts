import { must, NotApplicable, type Requirement, type Subject } from './adapter.ts'
import type { Browser } from './browser.ts'
import { OTHER } from './subject.ts'

/** The browser with the session's own cookie and no other: nothing that is believed for a while. */
function bare({ on, browser }: Subject, from: Browser): Browser {
  const copy = browser()
  copy.cookies.set(on.cookie, from.cookies.get(on.cookie) ?? '')
  return copy
}

function documented({ on }: Subject, needle: RegExp): void {
  if (on.documentation === undefined) throw new NotApplicable('its documentation was not read')
  must(needle.test(on.documentation), `The documentation says nothing of ${needle}`)
}

const pages = 'endpoints only: the button is on the pages of whoever uses them'
const noAdministrator = 'no administrator in this set-up'
const noFederation = 'no sign-in by an identity provider'

/** V7: sessions. */
export const sessionRows: readonly Requirement[] = [
  {
    id: '7.1.1',
    level: 2,
    title: 'Idle and absolute limits are documented',
    async run(subject) {
      documented(subject, /7 days without use or 30 days in all/)
    },
  },
  {
    id: '7.1.2',
    level: 2,
    title: 'The number of concurrent sessions is documented',
    async run(subject) {
      documented(subject, /twenty-first session/)
    },
  },
  { id: '7.1.3', level: 2, title: 'Federated sessions are documented', na: noFederation },
  {
    id: '7.2.1',
    level: 1,
    title: 'Session tokens are verified on the server',
    async run(subject) {
      const { browser } = await subject.guest()
      const value = browser.cookies.get(subject.on.cookie) ?? ''
      must(await subject.on.signedIn(bare(subject, browser)), 'The session cookie alone is not enough')
      for (const at of [0, Math.floor(value.length / 2), Math.min(value.length - 2, 40)]) {
        const forged = subject.browser()
        const letter = value[at] === 'A' ? 'B' : 'A'
        forged.cookies.set(subject.on.cookie, value.slice(0, at) + letter + value.slice(at + 1))
        must(!(await subject.on.signedIn(forged)), 'A changed token was taken')
      }
    },
  },
  {
    id: '7.2.2',
    level: 1,
    title: 'Session tokens are made for each session',
    async run({ on, guest, browser }) {
      const { email, password, browser: first } = await guest()
      const second = browser()
      await on.signIn(second, email, password)
      must(first.cookies.get(on.cookie) !== second.cookies.get(on.cookie), 'Two sessions have one token')
      if (on.apiKey === undefined) return
      const authorization = `Bearer ${await on.apiKey(first)}`
      const { method, path, body } = on.change
      const reply = await browser().send(method, path, body, { authorization })
      must(reply.status === 401, 'An API key stands in for a session')
    },
  },
  {
    id: '7.2.3',
    level: 1,
    title: 'Reference tokens have 128 bits at least, and are not kept in clear',
    async run({ on, guest }) {
      const { browser } = await guest()
      const value = decodeURIComponent(browser.cookies.get(on.cookie) ?? '')
      must(value.split('.')[0]?.length !== undefined && value.length >= 22, 'The token is short')
      if (on.atRest !== undefined)
        must(!(await on.atRest()).includes(value.slice(22)), 'The token is at rest in clear')
      if (on.apiKey === undefined || on.atRest === undefined) return
      const key = await on.apiKey(browser)
      must(key.length >= 30 && !(await on.atRest()).includes(key.slice(12)), 'An API key is at rest in clear')
    },
  },
  {
    id: '7.2.4',
    level: 1,
    title: 'Every authentication makes a new token and ends the one before',
    async run(subject) {
      const { on } = subject
      const { browser, email, password } = await subject.guest()
      const before = bare(subject, browser)
      must((await on.signIn(browser, email, password)).ok, 'Signing in again was refused')
      must(browser.cookies.get(on.cookie) !== before.cookies.get(on.cookie), 'The token stayed')
      must(!(await on.signedIn(before)), 'The token before still works')
    },
  },
  {
    id: '7.3.1',
    level: 2,
    title: 'Sessions end for want of use',
    async run(subject) {
      const { browser, email } = await subject.guest()
      if (subject.on.age === undefined) throw new NotApplicable('time cannot be moved')
      await subject.on.age(email, 'used', 8)
      must(!(await subject.on.signedIn(bare(subject, browser))), 'After eight idle days it still works')
    },
  },
  {
    id: '7.3.2',
    level: 2,
    title: 'Sessions end in the end, however much used',
    async run(subject) {
      const { browser, email } = await subject.guest()
      if (subject.on.age === undefined) throw new Error('There is no absolute limit')
      await subject.on.age(email, 'absolute', 31)
      must(!(await subject.on.signedIn(bare(subject, browser))), 'After thirty-one days it still works')
    },
  },
  {
    id: '7.4.1',
    level: 1,
    title: 'Signing out ends the session on the server',
    async run({ on, guest }) {
      const { browser } = await guest()
      const thief = browser.stolen()
      must((await on.signOut(browser)).ok, 'Signing out was refused')
      must(!(await on.signedIn(browser)), 'Still signed in')
      must(!(await on.signedIn(thief)), 'The cookies of before still work')
    },
  },
  {
    id: '7.4.2',
    level: 1,
    title: 'Disabling an account ends its sessions',
    async run({ on, guest, browser }) {
      const { browser: visitor, email, password } = await guest()
      if (on.disable === undefined) throw new NotApplicable(noAdministrator)
      await on.disable(email)
      must(!(await on.signedIn(visitor)), 'The session goes on')
      must(!(await on.signIn(browser(), email, password)).ok, 'Signing in still works')
    },
  },
  {
    id: '7.4.3',
    level: 2,
    title: 'Changing a factor ends the other sessions',
    async run({ on, guest, browser }) {
      const { browser: visitor, email, password } = await guest()
      const other = browser()
      await on.signIn(other, email, password)
      await on.changePassword(visitor, password, OTHER)
      must(await on.signedIn(visitor), 'The session that asked has ended')
      must(!(await on.signedIn(other)), 'After a changed password the other session goes on')
      const third = browser()
      await on.signIn(third, email, OTHER)
      must(on.enrol !== undefined, 'There is no second factor')
      await on.enrol(visitor, OTHER)
      must(!(await on.signedIn(third)), 'After a new second factor the other session goes on')
    },
  },
  { id: '7.4.4', level: 2, title: 'Signing out is visible on every page', na: pages },
  {
    id: '7.4.5',
    level: 2,
    title: 'An administrator can end the sessions of anybody',
    async run({ on, guest }) {
      const { browser, email } = await guest()
      if (on.endAll === undefined) throw new NotApplicable(noAdministrator)
      await on.endAll(email)
      must(!(await on.signedIn(browser)), 'The session goes on')
    },
  },
  {
    id: '7.5.1',
    level: 2,
    title: 'Sensitive changes need a fresh authentication',
    async run(subject) {
      const { on } = subject
      must(on.changeMail !== undefined, 'The address cannot be changed')
      if (on.age === undefined) throw new NotApplicable('time cannot be moved')
      const { browser, email, password } = await subject.guest()
      await on.age(email, 'authenticated', 1)
      const old = bare(subject, browser)
      must(
        (await on.changeMail(old, subject.address())).status === 403,
        'An old session may change the address',
      )
      if (on.enrol !== undefined) {
        const reply = await old.send('POST', '/auth/second-factor/totp/enrol')
        must(reply.status === 403, 'An old session may add a factor')
      }
      must((await on.signIn(old, email, password)).ok, 'Signing in again was refused')
      must((await on.changeMail(old, subject.address())).ok, 'A fresh session may not change the address')
    },
  },
  {
    id: '7.5.2',
    level: 2,
    title: 'Users see their sessions and end them, after authenticating again',
    async run(subject) {
      const { on } = subject
      const { browser, email, password } = await subject.guest()
      const other = subject.browser()
      await on.signIn(other, email, password)
      const list = await on.sessions(browser)
      must(list.ok && (list.text.match(/"id"/g) ?? []).length >= 2, 'They are not listed')
      if (on.age !== undefined) {
        await on.age(email, 'authenticated', 1)
        const old = bare(subject, browser)
        must(!(await on.endOthers(old)).ok, 'An old session may end others')
        await on.signIn(old, email, password)
        must((await on.endOthers(old)).ok, 'A fresh session may not end others')
      } else must((await on.endOthers(browser)).ok, 'They cannot be ended')
      must(!(await on.signedIn(other)), 'The other session goes on')
    },
  },
  { id: '7.6.1', level: 2, title: 'Federated sessions end together', na: noFederation },
  { id: '7.6.2', level: 2, title: 'Federated sessions begin by the user', na: noFederation },
]

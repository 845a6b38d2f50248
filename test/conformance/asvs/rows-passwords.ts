import { must, NotApplicable, type Requirement, type Subject } from './adapter.ts'
import { GOOD, OTHER } from './subject.ts'

/** Whether a password is taken at sign-up. */
async function takes(
  { on, browser, address }: Subject,
  password: string,
  email: string = address(),
): Promise<boolean> {
  return (await on.signUp(browser(), email, password)).ok
}

function documented({ on }: Subject, ...needles: readonly RegExp[]): void {
  const { documentation } = on
  if (documentation === undefined) throw new NotApplicable('its documentation was not read')
  for (const needle of needles) {
    must(needle.test(documentation), `The documentation says nothing of ${needle}`)
  }
}

/** V6.1 and V6.2: documentation and passwords. */
export const passwordRows: readonly Requirement[] = [
  {
    id: '6.1.1',
    level: 1,
    title: 'Throttling is documented, and how malicious lockout is prevented',
    async run(subject) {
      documented(subject, /## Brute force/, /lock its owner out/)
    },
  },
  {
    id: '6.1.2',
    level: 2,
    title: 'Context-specific words are documented',
    async run(subject) {
      documented(subject, /app\.words/)
    },
  },
  {
    id: '6.1.3',
    level: 2,
    title: 'All authentication pathways are documented together',
    async run(subject) {
      documented(subject, /## Ways in/, /second factor/i, /recovery code/i, /token/i)
    },
  },
  {
    id: '6.2.1',
    level: 1,
    title: 'Passwords have 8 characters at least',
    async run(subject) {
      must(!(await takes(subject, 'xk7-wQ2')), 'Seven characters were taken')
      must(await takes(subject, 'xk7-wQ2p'), 'Eight characters were refused')
    },
  },
  {
    id: '6.2.2',
    level: 1,
    title: 'Users can change their password',
    async run({ on, guest, browser }) {
      const { browser: visitor, email, password } = await guest()
      must((await on.changePassword(visitor, password, OTHER)).ok, 'The change was refused')
      must((await on.signIn(browser(), email, OTHER)).ok, 'The new password does not work')
    },
  },
  {
    id: '6.2.3',
    level: 1,
    title: 'A change needs the current password',
    async run({ on, guest, browser }) {
      const { browser: visitor, email, password } = await guest()
      must(
        !(await on.changePassword(visitor, `${password}!`, OTHER)).ok,
        'A wrong current password was taken',
      )
      must((await on.signIn(browser(), email, password)).ok, 'The password has changed')
    },
  },
  {
    id: '6.2.4',
    level: 1,
    title: 'The top 3,000 passwords are refused',
    async run(subject) {
      for (const password of ['password', '12345678', 'sunshine', 'baseball1', 'iloveyou', 'trustno1']) {
        must(!(await takes(subject, password)), `${password} was taken`)
      }
    },
  },
  {
    id: '6.2.5',
    level: 1,
    title: 'Any composition of characters is allowed',
    async run(subject) {
      for (const password of ['wqzjxkvbnmplokij', 'ЖЩФЪЭЮЯБЛДЫГ', '7391 8264 5017 2846']) {
        must(await takes(subject, password), `A password without a mixture was refused`)
      }
    },
  },
  {
    id: '6.2.6',
    level: 1,
    title: 'Password fields are masked',
    na: 'endpoints only: the fields are on the pages of whoever uses them',
  },
  {
    id: '6.2.7',
    level: 1,
    title: 'Pasting and password managers work',
    na: 'endpoints only: the fields are on the pages of whoever uses them',
  },
  {
    id: '6.2.8',
    level: 1,
    title: 'A password is verified exactly as typed',
    async run({ on, address, browser }) {
      const email = address()
      const password = ` Unicode Läntern ${'x'.repeat(50)}Q `
      must((await on.signUp(browser(), email, password)).ok, 'A password with spaces around was refused')
      await on.verify(browser(), email)
      for (const other of [password.trim(), password.toLowerCase(), password.slice(0, -3)]) {
        must(!(await on.signIn(browser(), email, other)).ok, 'A password that differs was taken')
      }
      must((await on.signIn(browser(), email, password)).ok, 'The very password was refused')
    },
  },
  {
    id: '6.2.9',
    level: 2,
    title: 'Passwords of 64 characters are allowed',
    async run(subject) {
      must(await takes(subject, 'quiet lantern '.repeat(5).slice(0, 64)), '64 characters were refused')
    },
  },
  {
    id: '6.2.10',
    level: 2,
    title: 'Passwords do not expire',
    async run({ on, person, browser }) {
      const { email, password } = await person()
      if (on.age === undefined) throw new NotApplicable('time cannot be moved')
      await on.age(email, 'authenticated', 3650)
      must((await on.signIn(browser(), email, password)).ok, 'An old password was refused')
    },
  },
  {
    id: '6.2.11',
    level: 2,
    title: 'Context-specific words are refused',
    async run(subject) {
      const email = `marguerite.duras.${Math.random().toString(36).slice(2, 8)}@people.example`
      must(!(await takes(subject, 'marguerite', email)), 'The name in the address was taken')
      must(!(await takes(subject, `${subject.on.name}1`)), "The product's name was taken")
    },
  },
  {
    id: '6.2.12',
    level: 2,
    title: 'Breached passwords are refused',
    async run(subject) {
      if (subject.on.breached === undefined)
        throw new NotApplicable('its service cannot be reached from here')
      must(!(await takes(subject, subject.on.breached)), 'A breached password was taken')
      must(await takes(subject, GOOD), 'One that is not was refused')
    },
  },
]

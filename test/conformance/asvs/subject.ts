import { type Adapter, must, type Person, type Subject } from './adapter.ts'
import { Browser } from './browser.ts'

let count = 0

/** A password that nothing can be said against. */
export const GOOD = 'lantern above nine quiet harbours'
export const OTHER = 'seventeen herons cross a frozen lake'

/** People for the rows of one implementation. */
export function subjectOf(on: Adapter): Subject {
  const browser = () => new Browser(on.base)
  const address = () => `p${++count}x${Math.random().toString(36).slice(2, 8)}@people.example`
  async function person(): Promise<Person> {
    const email = address()
    const visitor = browser()
    const reply = await on.signUp(visitor, email, GOOD)
    must(reply.ok, `Signing up was answered ${reply.status}: ${reply.text.slice(0, 200)}`)
    await on.verify(visitor, email)
    return { email, password: GOOD }
  }
  async function guest() {
    const somebody = await person()
    const visitor = browser()
    const reply = await on.signIn(visitor, somebody.email, somebody.password)
    must(reply.ok, `Signing in was answered ${reply.status}: ${reply.text.slice(0, 200)}`)
    return { ...somebody, browser: visitor }
  }
  return { on, browser, address, person, guest }
}

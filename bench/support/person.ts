import type { Local } from '../../src/local/index.ts'
import { Visitor } from './visitor.ts'

/** What people in these measurements type. */
export const PASSWORD = 'a lamp in every window 7'

interface Mail {
  readonly id: string
  readonly text: string
}

/** Opens an account with the reference worker as a person does, mail included, and signs in. */
export async function signedUp(worker: string, local: Local, email: string): Promise<Visitor> {
  const visitor = new Visitor(worker, { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0' })
  await patiently(() => visitor.send('POST', '/auth/sign-up', { email, password: PASSWORD }))
  await visitor.send('POST', '/auth/verify-mail', { token: await mailedToken(local, email) })
  await visitor.send('POST', '/auth/sign-in', { email, password: PASSWORD })
  return visitor
}

/** A limiter that must not guess refuses while the machine is too busy for its store to answer in time. */
async function patiently<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run()
    } catch (error) {
      if (tries === 20 || !String(error).includes('dependency-unavailable')) throw error
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

async function mailedToken(local: Local, email: string): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const list = await fetch(`${local.mail}/api/messages?to=${encodeURIComponent(email)}`)
    const { messages } = (await list.json()) as { messages: readonly { readonly id: string }[] }
    for (const { id } of messages) {
      const mail = (await (await fetch(`${local.mail}/api/messages/${id}`)).json()) as Mail
      const token = /#token=([\w.-]+)/.exec(mail.text)?.[1]
      if (token !== undefined) return token
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`No mail came to ${email}`)
}

import type { Local } from 'breakwater/local'
import { eventually, Visitor } from './visitor.ts'

/** Somebody with an account, signed in by the front door: sign-up, mail, link, sign-in. */
export async function signedUp(local: Local, email: string, password: string): Promise<Visitor> {
  const visitor = new Visitor(local.worker ?? '')
  // On a machine at its limit the limiter hears too late from Redis, and what must be counted is refused with 503.
  const admitted = (path: string, body: unknown): Promise<Response> =>
    eventually(
      () => visitor.post(path, body),
      ({ status }) => status !== 503,
    )
  await admitted('/auth/sign-up', { email, password })
  const { messages } = await eventually(
    async () =>
      (await fetch(`${local.mail}/api/messages?to=${encodeURIComponent(email)}`)).json() as Promise<{
        messages: { text: string }[]
      }>,
    (answer) => answer.messages.length > 0,
  )
  const token = /#token=([\w.-]+)/.exec(messages[0]?.text ?? '')?.[1]
  await admitted('/auth/verify-mail', { token })
  const reply = await admitted('/auth/sign-in', { email, password })
  if (reply.status !== 200) throw new Error(`Signing in was answered ${reply.status}`)
  return visitor
}

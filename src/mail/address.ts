/** A mailbox of RFC 5322, section 3.4: an address, and perhaps a name to show for it. */
export interface Mailbox {
  readonly email: string
  readonly name?: string
}

// No spaces, no angle brackets, no list separators, no quoted local parts: what providers agree on.
const ADDRESS = /^[^\s@<>(),;:"\\[\]]{1,64}@(?=.{1,255}$)[^\s@<>(),;:"\\[\].]+(?:\.[^\s@<>(),;:"\\[\].]+)*$/

/** Line breaks and other control characters: in a header field they begin another one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const CONTROL: RegExp = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** Reads `hello@acme.example` or `Acme <hello@acme.example>`; undefined when it is not exactly one mailbox. */
export function parseMailbox(text: string): Mailbox | undefined {
  if (CONTROL.test(text)) return undefined
  const trimmed = text.trim()
  if (ADDRESS.test(trimmed)) return { email: trimmed }
  const match = /^(?:"((?:[^"\\]|\\.)*)"|([^"<>@,;:\\]*))\s*<([^<>]*)>$/.exec(trimmed)
  const email = match?.[3]
  if (!match || email === undefined || !ADDRESS.test(email)) return undefined
  const name = (match[1]?.replace(/\\(.)/g, '$1') ?? match[2] ?? '').trim()
  return name === '' ? { email } : { email, name }
}

/** The mailbox in one line, its name quoted where the grammar wants it. */
export function formatMailbox({ email, name }: Mailbox): string {
  if (name === undefined) return email
  const plain = /^[\p{L}\p{N} !#$%&'*+/=?^_`{|}~-]+$/u.test(name)
  return `${plain ? name : `"${name.replace(/["\\]/g, '\\$&')}"`} <${email}>`
}

import { fromBase64Url, toBase64Url } from '../core/bytes.ts'
import { hmac, verifyHmac } from '../core/crypto.ts'

/**
 * Signed addresses: whoever has one may read one upload until it expires, and nothing else. The signature is bound to
 * this purpose, and to the upload's epoch, so that all that were given out can be revoked by one step of it.
 */
const PURPOSE = 'breakwater upload read v1'

/** What an address is bound to. */
export interface LinkSubject {
  readonly id: string
  readonly linkEpoch: number
}

const message = ({ id, linkEpoch }: LinkSubject, expires: number): string =>
  [PURPOSE, id, linkEpoch, expires].join('\n')

/** The query parameter `token` of a signed address. `expires` is in seconds since the epoch. */
export async function signLink(
  secrets: readonly string[],
  subject: LinkSubject,
  expires: number,
): Promise<string> {
  return `${expires}.${toBase64Url(await hmac(secrets[0] ?? '', message(subject, expires)))}`
}

/** Whether a token opens this upload now; under any of the secrets, so that they can be rotated. */
export async function verifyLink(
  secrets: readonly string[],
  subject: LinkSubject,
  token: string,
  now: number,
): Promise<boolean> {
  const [, text = '', signature = ''] = /^(\d{1,12})\.([A-Za-z0-9_-]{43})$/.exec(token) ?? []
  const bytes = fromBase64Url(signature)
  if (bytes === undefined || bytes.length !== 32 || Number(text) * 1000 <= now) return false
  return verifyHmac(secrets, message(subject, Number(text)), bytes)
}

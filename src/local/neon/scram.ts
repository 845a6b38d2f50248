import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'

function hmac(key: Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

/** The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. */
export class Scram {
  readonly #password: string
  readonly #nonce = randomBytes(18).toString('base64')
  readonly #firstBare: string
  #expected: Buffer | undefined

  constructor(password: string) {
    // Postgres prepares passwords by SASLprep; NFKC is the part of it that matters for text that is typed.
    this.#password = password.normalize('NFKC')
    // Postgres takes the user from the start-up message.
    this.#firstBare = `n=,r=${this.#nonce}`
  }

  first(): string {
    return `n,,${this.#firstBare}`
  }

  /** @throws Error when the server's message is not to be trusted */
  answer(serverFirst: string): string {
    const {
      r: nonce,
      s: salt,
      i,
    } = Object.fromEntries(serverFirst.split(',').map((part) => [part.slice(0, 1), part.slice(2)]))
    const iterations = Number(i)
    if (!nonce?.startsWith(this.#nonce) || !salt || !Number.isInteger(iterations) || iterations < 1) {
      throw new Error('the server broke off SCRAM')
    }
    const withoutProof = `c=biws,r=${nonce}`
    const message = `${this.#firstBare},${serverFirst},${withoutProof}`
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256')
    const clientKey = hmac(salted, 'Client Key')
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message)
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)))
    this.#expected = hmac(hmac(salted, 'Server Key'), message)
    return `${withoutProof},p=${proof.toString('base64')}`
  }

  /** @throws Error when the server does not know the password either */
  verify(serverFinal: string): void {
    const given = Buffer.from(serverFinal.replace(/^v=/, ''), 'base64')
    const expected = this.#expected
    if (expected === undefined || expected.length !== given.length || !timingSafeEqual(expected, given)) {
      throw new Error('the server failed to prove that it knows the password')
    }
  }
}

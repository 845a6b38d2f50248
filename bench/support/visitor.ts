/** A browser as far as these measurements need one: it keeps cookies and says where it comes from. */
export class Visitor {
  readonly base: string
  readonly #cookies = new Map<string, string>()
  readonly #headers: Readonly<Record<string, string>>

  constructor(base: string, headers: Readonly<Record<string, string>> = {}) {
    this.base = base
    this.#headers = headers
  }

  /** Forgets cookies whose name fits. */
  forget(name: RegExp): void {
    for (const key of this.#cookies.keys()) if (name.test(key)) this.#cookies.delete(key)
  }

  /** A second browser with the same cookies. */
  copy(): Visitor {
    const other = new Visitor(this.base, this.#headers)
    for (const [name, value] of this.#cookies) other.#cookies.set(name, value)
    return other
  }

  /**
   * @param body an object goes as JSON, bytes go as they are.
   * @throws Error for a reply that is not 2xx, unless `allowed` lists it.
   */
  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const raw = body instanceof Uint8Array
    const reply = await fetch(this.base + path, {
      method,
      headers: {
        ...this.#headers,
        ...(cookie !== '' && { cookie }),
        ...(method !== 'GET' && { origin: this.base, 'sec-fetch-site': 'same-origin' }),
        ...(body !== undefined && !raw && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: raw ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
    })
    for (const line of reply.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '' || /; *max-age=0\b/i.test(line)) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    if (!reply.ok) throw new Error(`${method} ${path} answered ${reply.status}: ${await reply.text()}`)
    return reply
  }
}

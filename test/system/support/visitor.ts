/** What a browser remembers between requests, for tests over HTTP: cookies, and the Origin it sends. */
export class Visitor {
  readonly #cookies = new Map<string, string>()
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  /** The cookies as a header. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (this.#cookies.size > 0) headers.set('cookie', this.cookie)
    if (init.method !== undefined && init.method !== 'GET') {
      headers.set('origin', this.#base)
      headers.set('sec-fetch-site', 'same-origin')
    }
    const reply = await fetch(this.#base + path, { ...init, headers, redirect: 'manual' })
    for (const line of reply.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
      const ended = attributes.some((attribute) => /^max-age=0$/i.test(attribute))
      if (ended || value === '') this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return reply
  }

  get(path: string, headers?: HeadersInit): Promise<Response> {
    return this.fetch(path, headers && { headers })
  }

  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Response> {
    return this.fetch(path, {
      method: 'POST',
      ...(body !== undefined && { body: JSON.stringify(body) }),
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    })
  }
}

/** Asks again until the answer will do. Fails with the last answer. */
export async function eventually<T>(
  ask: () => Promise<T>,
  willDo: (answer: T) => boolean,
  milliseconds = 15_000,
): Promise<T> {
  const end = Date.now() + milliseconds
  for (;;) {
    const answer = await ask()
    if (willDo(answer)) return answer
    if (Date.now() > end) throw new Error(`Still not: ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** One visitor of an implementation under test: keeps cookies, and comes from an address of its own. */
export class Browser {
  readonly cookies = new Map<string, string>()
  /** `Set-Cookie` lines of the latest reply. */
  setCookies: readonly string[] = []
  readonly base: string
  readonly address: string

  constructor(base: string) {
    this.base = base
    this.address = `198.51.${Math.floor(Math.random() * 256)}.${1 + Math.floor(Math.random() * 254)}`
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** The same cookies in somebody else's hands. */
  stolen(): Browser {
    const thief = new Browser(this.base)
    for (const [name, value] of this.cookies) thief.cookies.set(name, value)
    return thief
  }

  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    const reply = await fetch(this.base + path, {
      method,
      redirect: 'manual',
      headers: {
        'cf-connecting-ip': this.address,
        'x-forwarded-for': this.address,
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0',
        ...(this.cookies.size > 0 && { cookie: this.cookie }),
        ...(method !== 'GET' && { origin: this.base, 'sec-fetch-site': 'same-origin' }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    this.setCookies = reply.headers.getSetCookie()
    for (const line of this.setCookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line) || value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    const text = await reply.text()
    let json: Record<string, unknown> = {}
    try {
      const parsed: unknown = JSON.parse(text)
      if (typeof parsed === 'object' && parsed !== null) json = parsed as Record<string, unknown>
    } catch {}
    return { status: reply.status, ok: reply.ok, headers: reply.headers, text, json }
  }
}

/** A reply, read. */
export interface Reply {
  readonly status: number
  readonly ok: boolean
  readonly headers: Headers
  readonly text: string
  readonly json: Record<string, unknown>
}

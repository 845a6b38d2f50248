/** A reply as far as checks look at it. */
export interface LiveReply {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  /** At most the first 64 KB. */
  readonly body: string
}

/** A deployed site. */
export interface LiveSite {
  /** Its origin. */
  readonly origin: string
  /**
   * Gets a path, or an absolute URL; redirects are not followed. The same is asked once.
   * @throws Unreachable
   */
  get(path: string): Promise<LiveReply>
}

/** The site did not answer. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

const MAX_BODY = 65_536

/**
 * A site to look at.
 * @param url Its address; only the origin counts.
 * @param timeout Milliseconds for one request. Default 10,000.
 * @throws TypeError when the address is none.
 */
export function liveSite(url: string, timeout = 10_000): LiveSite {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new TypeError(`${url} is not an http: or https: URL`)
  const { origin } = new URL(url)
  const replies = new Map<string, Promise<LiveReply>>()

  async function ask(target: string): Promise<LiveReply> {
    try {
      const reply = await fetch(target, {
        redirect: 'manual',
        headers: { 'User-Agent': 'breakwater-doctor', Accept: 'text/html, */*;q=0.5' },
        signal: AbortSignal.timeout(timeout),
      })
      return { url: target, status: reply.status, headers: reply.headers, body: await readSome(reply) }
    } catch (error) {
      const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined
      const reason = cause?.code ?? (error instanceof Error ? error.name : 'unknown reason')
      throw new Unreachable(`${target} did not answer (${reason})`)
    }
  }

  return {
    origin,
    get(path) {
      const target = new URL(path, origin).href
      const reply = replies.get(target) ?? ask(target)
      replies.set(target, reply)
      return reply
    },
  }
}

async function readSome(reply: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of reply.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    // Leaving the loop cancels the stream.
    if (text.length > MAX_BODY) break
  }
  return text.slice(0, MAX_BODY)
}

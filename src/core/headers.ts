import type { Context } from 'hono'

/**
 * Writes header fields of the reply, after `next()`. Those of a reply that came from `fetch`, a cache or
 * `Response.redirect` are not open for writing; such a reply is copied, and `write` begins again.
 */
export function onReply(c: Context, write: (c: Context, headers: Headers) => void): void {
  try {
    write(c, c.res.headers)
  } catch {
    const { res } = c
    c.res = undefined
    c.res = new Response(res.body, res)
    write(c, c.res.headers)
  }
}

/** Sets one header field of the reply, after `next()`. */
export function setHeader(c: Context, name: string, value: string): void {
  try {
    c.res.headers.set(name, value)
  } catch {
    onReply(c, (_, headers) => headers.set(name, value))
  }
}

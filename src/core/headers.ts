import type { Context } from 'hono'

/**
 * The reply's header fields, after `next()`, open for writing. Those of a reply that came from `fetch`, a cache or
 * `Response.redirect` are not; such a reply is copied.
 */
export function replyHeaders(c: Context): Headers {
  const { res } = c
  try {
    // Deleting what is not there is the cheapest write.
    res.headers.delete('x-breakwater')
    return res.headers
  } catch {
    c.res = undefined
    c.res = new Response(res.body, res)
    return c.res.headers
  }
}

/** Sets one header field of the reply, after `next()`. */
export function setHeader(c: Context, name: string, value: string): void {
  try {
    c.res.headers.set(name, value)
  } catch {
    replyHeaders(c).set(name, value)
  }
}

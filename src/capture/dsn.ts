/** Where events go. */
export interface Dsn {
  /** The project's public key: may be seen by anyone, allows nothing but sending. */
  readonly key: string
  /** The address that takes envelopes, the key in its query. */
  readonly url: string
}

/**
 * Reads a DSN, `https://<key>@<host>[/<path>]/<project>`.
 * @throws TypeError when it is none; the message does not repeat it.
 */
export function parseDsn(text: string): Dsn {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new TypeError('The capture DSN is not a URL')
  }
  const match = /^(\/.*)?\/(\d+)\/?$/.exec(url.pathname)
  if (!/^https?:$/.test(url.protocol) || url.username === '' || match === null) {
    throw new TypeError('The capture DSN must look like https://key@host/project')
  }
  const key = url.username
  return {
    key,
    url: `${url.origin}${match[1] ?? ''}/api/${match[2]}/envelope/?sentry_key=${key}&sentry_version=7`,
  }
}

import { neonConfig } from '@neondatabase/serverless'

/** Where a database is reached. */
export interface Address {
  /** What the driver is given. */
  readonly url: string
  /** `host:port/v2` of a local stand-in; undefined for Neon itself. */
  readonly local: { readonly proxy: string; readonly secure: boolean } | undefined
}

const local = new Map<string, string>()
let hooked = false

/**
 * The driver can be told of another HTTP endpoint only for everyone at once, by host and port. So a stand-in is
 * addressed by its own host and port, and every other host is left to whatever was set before.
 */
function hook(): void {
  if (hooked) return
  hooked = true
  const before = neonConfig.fetchEndpoint
  neonConfig.fetchEndpoint = (host, port, options) =>
    local.get(`${host}:${port}`) ?? (typeof before === 'function' ? before(host, port, options) : before)
}

/**
 * Checks a database URL and finds out how the driver gets there.
 * @throws TypeError that says what is wrong with it, without repeating it: it holds a password
 */
export function addressOf(url: string, endpoint: string | undefined): Address {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^postgres(ql)?:$/.test(parsed.protocol)) {
    throw new TypeError('url is not a Postgres URL: postgresql://user:password@host/database')
  }
  for (const [part, value] of [
    ['host', parsed.hostname],
    ['user', parsed.username],
    ['password', parsed.password],
    ['database', parsed.pathname.slice(1)],
  ]) {
    if (value === '') throw new TypeError(`url names no ${part}: postgresql://user:password@host/database`)
  }
  if (endpoint === undefined || endpoint === '') return { url, local: undefined }
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new TypeError('endpoint is not an http(s) URL')
  }
  const at = new URL(endpoint)
  const secure = at.protocol === 'https:'
  const port = at.port || (secure ? '443' : '80')
  const base = `${at.host}${at.pathname.replace(/\/$/, '')}`
  hook()
  local.set(`${at.hostname}:${port}`, `${at.protocol}//${base}/sql`)
  // URL leaves out no port of a scheme it does not know.
  parsed.hostname = at.hostname
  parsed.port = port
  return { url: parsed.href, local: { proxy: `${base}/v2`, secure } }
}

import { NeonFailure } from './errors.ts'

/** Who asks, for which database, with which settings. */
export interface Credentials {
  readonly user: string
  readonly password: string
  readonly database: string
  /** `application_name` and the like, from the query of the URL. */
  readonly settings: Readonly<Record<string, string>>
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new NeonFailure(400, `invalid ${what}: invalid utf-8 sequence`)
  }
}

/**
 * Reads the `Neon-Connection-String` header. Its host is not looked at: the stand-in has one server.
 * @throws NeonFailure in Neon's words
 */
export function readCredentials(header: string | null): Credentials {
  if (header === null) throw new NeonFailure(400, 'invalid header: neon-connection-string')
  if (!URL.canParse(header))
    throw new NeonFailure(400, 'invalid connection string: relative URL without a base')
  const url = new URL(header)
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') {
    throw new NeonFailure(400, 'incorrect scheme')
  }
  const database = decode(url.pathname.slice(1), 'database name')
  if (url.pathname.length < 2) throw new NeonFailure(400, 'missing database name')
  const user = decode(url.username, 'username')
  if (user === '') throw new NeonFailure(400, 'missing username')
  const password = decode(url.password, 'password')
  if (password === '') {
    throw new NeonFailure(400, 'missing authentication credentials: required password')
  }
  const settings: Record<string, string> = {}
  for (const name of ['application_name', 'options']) {
    const value = url.searchParams.get(name)
    // Neon's own option names the endpoint and is not Postgres's.
    const kept = name === 'options' ? value?.replace(/\s*(endpoint|project)[=%][^\s]*/g, '').trim() : value
    if (kept) settings[name] = kept
  }
  return { user, password, database, settings }
}

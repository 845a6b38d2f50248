import { type Duration, milliseconds } from '../core/time.ts'
import { type Variable, type VariableOptions, variable } from './variable.ts'

/** A variable whose raw value is text without white space around it: a pasted newline makes a right key wrong. */
function textual<T = string, I = string>(
  kind: string,
  expected: string,
  options: VariableOptions & { readonly minBytes?: number | undefined; readonly pooled?: boolean },
  parse: (value: string) => T | undefined,
): Variable<T, I> {
  return variable<T, I>({ kind, expected, secret: false, ...options }, (value) =>
    typeof value === 'string' && value === value.trim() ? parse(value) : undefined,
  )
}

/** Keeps a text that matches. */
function matching(
  kind: string,
  expected: string,
  options: VariableOptions & { readonly pooled?: boolean },
  matches: (value: string) => unknown,
): Variable<string> {
  return textual(kind, expected, options, (value) => (matches(value) ? value : undefined))
}

function parseUrl(value: string): Partial<URL> {
  return URL.canParse(value) ? new URL(value) : {}
}

/** Any text that is not empty and has no white space around it. */
export function text(options: VariableOptions = {}): Variable<string> {
  return matching('text', 'text', options, () => true)
}

/** A whole number, in decimal. A number in `[vars]` is taken as well. */
export function integer(
  options: VariableOptions & { readonly min?: number; readonly max?: number } = {},
): Variable<number, string | number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER, ...rest } = options
  const expected = `a whole number from ${min} to ${max}`
  return variable({ kind: 'integer', expected, secret: false, ...rest }, (value) => {
    const number = /^-?\d+$/.test(String(value)) ? Number(value) : Number.NaN
    return Number.isSafeInteger(number) && number >= min && number <= max ? number : undefined
  })
}

/** `true` or `false`, and nothing else: `0`, `no` and `off` mean different things to different people. */
export function boolean(options: VariableOptions = {}): Variable<boolean, 'true' | 'false' | boolean> {
  return variable({ kind: 'boolean', expected: 'true or false', secret: false, ...options }, (value) =>
    /^(true|false)$/.test(String(value)) ? String(value) === 'true' : undefined,
  )
}

/** One of the given words, in this spelling. */
export function oneOf<const T extends readonly [string, ...string[]]>(
  values: T,
  options: VariableOptions = {},
): Variable<T[number], T[number]> {
  return textual<T[number], T[number]>('oneOf', `one of ${values.join(', ')}`, options, (value) =>
    values.find((candidate) => candidate === value),
  )
}

/** A length of time such as `30 s`, `15m` or `7d`, given as milliseconds. A number in `[vars]` is milliseconds. */
export function duration(options: VariableOptions = {}): Variable<number, string | number> {
  const expected = 'a length of time such as 30s, 15m, 7d'
  return variable({ kind: 'duration', expected, secret: false, ...options }, (value) => {
    try {
      return milliseconds(value as Duration)
    } catch {
      return undefined
    }
  })
}

/** An absolute `http:` or `https:` URL. Production takes `https:` to a public address only. */
export function url(options: VariableOptions = {}): Variable<string> {
  return matching('url', 'an http: or https: URL', options, (value) =>
    /^https?:/.test(parseUrl(value).protocol ?? ''),
  )
}

/** A web origin as browsers send it (RFC 6454): scheme, host, port, and neither path nor trailing slash. */
export function origin(options: VariableOptions = {}): Variable<string> {
  const expected = 'an origin: scheme and host, without path or trailing slash'
  return matching(
    'origin',
    expected,
    options,
    (value) => /^http/.test(value) && parseUrl(value).origin === value,
  )
}

/**
 * A PostgreSQL connection URL. With `pooled`, the default, production insists on a pooler's address
 * (Neon's `-pooler` host, Supabase's pooler, or `pgbouncer=true`): isolates come and go, and each would
 * otherwise cost the database a connection.
 */
export function postgresUrl(options: VariableOptions & { readonly pooled?: boolean } = {}): Variable<string> {
  const settings = { secret: true, pooled: true, ...options }
  const expected = `a ${settings.pooled ? 'pooled ' : ''}URL, postgres://user:password@host/database`
  return matching('postgresUrl', expected, settings, (value) => {
    const { protocol = '', hostname, username, pathname = '' } = parseUrl(value)
    return /^postgres(ql)?:/.test(protocol) && hostname && username && pathname[1]
  })
}

const ADDRESS = String.raw`[^\s@<>",;:]+@[^\s@<>".,;:]+(\.[^\s@<>".,;:]+)*`

/**
 * A mail address such as `hello@acme.dev`. With `displayName` also a mailbox such as
 * `Acme <hello@acme.dev>` (RFC 5322, section 3.4), as senders are written.
 */
export function email(options: VariableOptions & { readonly displayName?: boolean } = {}): Variable<string> {
  const { displayName, ...rest } = options
  const pattern = new RegExp(`^(${ADDRESS}${displayName ? `|[^<>\\r\\n]*<${ADDRESS}>` : ''})$`)
  return matching('email', `a mail address${displayName ? ' or Name <address>' : ''}`, rest, (value) =>
    pattern.test(value),
  )
}

/** A Sentry DSN: `https://PUBLIC_KEY@HOST/PROJECT`. Sentry does not count it as a secret; nor does this. */
export function sentryDsn(options: VariableOptions = {}): Variable<string> {
  return matching('sentryDsn', 'a DSN, https://key@host/project', options, (value) =>
    /^https?:\/\/\w+(:\w+)?@[^/@\s]+(\/[^/\s]+)*\/\d+$/.test(value),
  )
}

/** What a secret can be told. */
export interface SecretOptions extends Omit<VariableOptions, 'secret'> {
  /**
   * The least length, in bytes of UTF-8, everywhere. Default: none while developing, 32 in production.
   * Say less only for a key whose length its provider decides.
   */
  readonly minBytes?: number
}

/** A secret variable: it has no default. */
export type Secret<Output> = Omit<Variable<Output>, 'default'>

const isShort = (value: string, bytes: number): boolean => new TextEncoder().encode(value).length < bytes

const leastLength = ({ minBytes }: SecretOptions): string =>
  minBytes ? `${minBytes} bytes or more` : '32 bytes or more in production'

/** One secret: a provider's key, a token. For one that signs or encrypts, see {@link rotatingSecret}. */
export function secret(options: SecretOptions = {}): Secret<string> {
  const { minBytes = 1 } = options
  return textual('secret', `a secret of ${leastLength(options)}`, { ...options, secret: true }, (value) =>
    isShort(value, minBytes) ? undefined : value,
  )
}

/**
 * A secret that can be replaced without signing anyone out: one value, or several separated by commas, newest
 * first. Sign with the first, verify with any.
 *
 * Commas, because neither hexadecimal nor any base64 has one, because a list stays one line in `.dev.vars`,
 * and because nothing has to be quoted on its way through a shell, as a JSON array would.
 */
export function rotatingSecret(options: SecretOptions = {}): Secret<readonly [string, ...string[]]> {
  const { minBytes = 1 } = options
  const expected = `different secrets of ${leastLength(options)}, newest first, with commas between`
  return textual('rotatingSecret', expected, { ...options, secret: true }, (value) => {
    const list = splitSecrets(value) as [string, ...string[]]
    return new Set(list).size < list.length || list.some((part) => isShort(part, minBytes)) ? undefined : list
  })
}

/** The parts of a rotating secret. */
export function splitSecrets(value: string): string[] {
  return value.split(',').map((part) => part.trim())
}

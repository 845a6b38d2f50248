import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Duration, milliseconds } from '../core/time.ts'
import { bad, good, type Variable, type VariableOptions, variable } from './variable.ts'

type Result<T> = StandardSchemaV1.Result<T>

function textual<T, I = string>(
  kind: string,
  expected: string,
  options: VariableOptions & { readonly minBytes?: number | undefined; readonly pooled?: boolean },
  parse: (value: string) => Result<T>,
): Variable<T, I> {
  return variable<T, I>({ kind, expected, secret: false, ...options }, (value) => {
    if (typeof value !== 'string') return bad(`is not text but of type ${typeof value}`)
    // A pasted newline is the usual reason why a right secret is wrong.
    return value === value.trim() ? parse(value) : bad('has white space around it')
  })
}

/** Any text that is not empty and has no white space around it. */
export function text(options: VariableOptions = {}): Variable<string> {
  return textual('text', 'text', options, good)
}

/** A whole number, in decimal. A number in `[vars]` is taken as well. */
export function integer(
  options: VariableOptions & { readonly min?: number; readonly max?: number } = {},
): Variable<number, string | number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER, ...rest } = options
  const bounds = `${'min' in options ? `, at least ${min}` : ''}${'max' in options ? `, at most ${max}` : ''}`
  const meta = { kind: 'integer', expected: `a whole number${bounds}`, secret: false, ...rest }
  return variable(meta, (value) => {
    const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
    return Number.isSafeInteger(number) && (number as number) >= min && (number as number) <= max
      ? good(number as number)
      : bad('is not such a number')
  })
}

/** `true` or `false`, and nothing else: `0`, `no` and `off` mean different things to different people. */
export function boolean(options: VariableOptions = {}): Variable<boolean, 'true' | 'false' | boolean> {
  return variable({ kind: 'boolean', expected: 'true or false', secret: false, ...options }, (value) =>
    /^(true|false)$/.test(String(value)) ? good(String(value) === 'true') : bad('is neither true nor false'),
  )
}

/** One of the given words, in this spelling. */
export function oneOf<const T extends readonly [string, ...string[]]>(
  values: T,
  options: VariableOptions = {},
): Variable<T[number], T[number]> {
  return textual('oneOf', `one of ${values.join(', ')}`, options, (value) =>
    values.includes(value) ? good(value as T[number]) : bad('is none of them'),
  )
}

/** A length of time such as `30 s`, `15m` or `7d`, given as milliseconds. A number in `[vars]` is milliseconds. */
export function duration(options: VariableOptions = {}): Variable<number, string | number> {
  const expected = 'a number and one of ms, s, m, h, d'
  return variable({ kind: 'duration', expected, secret: false, example: '15m', ...options }, (value) => {
    try {
      return good(milliseconds(value as Duration))
    } catch {
      return bad('is not a length of time')
    }
  })
}

function parseUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined
}

/** An absolute `http:` or `https:` URL. Production takes `https:` to a public address only. */
export function url(options: VariableOptions = {}): Variable<string> {
  return textual('url', 'an http: or https: URL', options, (value) =>
    /^https?:$/.test(parseUrl(value)?.protocol ?? '') ? good(value) : bad('is not such a URL'),
  )
}

/** A web origin as browsers send it (RFC 6454): scheme, host, port, and neither path nor trailing slash. */
export function origin(options: VariableOptions = {}): Variable<string> {
  const expected = 'a web origin, without a path or trailing slash'
  return textual('origin', expected, { example: 'https://app.acme.dev', ...options }, (value) =>
    /^https?:/.test(value) && parseUrl(value)?.origin === value ? good(value) : bad('is not an origin'),
  )
}

/**
 * A PostgreSQL connection URL. With `pooled`, the default, production insists on a pooler's address
 * (Neon's `-pooler` host, Supabase's pooler, or `pgbouncer=true`): isolates come and go, and each would
 * otherwise cost the database a connection.
 */
export function postgresUrl(options: VariableOptions & { readonly pooled?: boolean } = {}): Variable<string> {
  const example = 'postgres://user:password@host-pooler.region.aws.neon.tech/name'
  return textual(
    'postgresUrl',
    `a${options.pooled === false ? '' : ' pooled'} PostgreSQL connection URL`,
    { secret: true, pooled: true, example, ...options },
    (value) => {
      const parsed = parseUrl(value)
      if (!/^postgres(ql)?:$/.test(parsed?.protocol ?? '')) return bad('is not a postgres: URL')
      const { hostname, username, pathname } = parsed as URL
      return hostname && username && pathname.length > 1
        ? good(value)
        : bad('lacks a host, a user or a database')
    },
  )
}

/**
 * A mail address such as `hello@acme.dev`. With `displayName` also a mailbox such as
 * `Acme <hello@acme.dev>` (RFC 5322, section 3.4), as senders are written.
 */
export function email(options: VariableOptions & { readonly displayName?: boolean } = {}): Variable<string> {
  const { displayName = false, ...rest } = options
  const address = String.raw`[^\s@<>",;]+@[^\s@<>".,;]+(\.[^\s@<>".,;]+)*`
  const pattern = new RegExp(displayName ? `^(${address}|[^<>\\r\\n]*<${address}>)$` : `^${address}$`)
  return textual('email', displayName ? 'a mail address or mailbox' : 'a mail address', rest, (value) =>
    pattern.test(value) ? good(value) : bad('is not a mail address'),
  )
}

/** A Sentry DSN: `https://PUBLIC_KEY@HOST/PROJECT`. Sentry does not count it as a secret; nor does this. */
export function sentryDsn(options: VariableOptions = {}): Variable<string> {
  return textual('sentryDsn', 'a Sentry DSN, https://KEY@HOST/PROJECT', options, (value) => {
    const parsed = parseUrl(value)
    return parsed && /^https?:$/.test(parsed.protocol) && parsed.username && /\/\d+$/.test(parsed.pathname)
      ? good(value)
      : bad('is not a DSN')
  })
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

function checkMinBytes(minBytes: number | undefined): void {
  if (minBytes !== undefined && !(Number.isSafeInteger(minBytes) && minBytes > 0)) {
    throw new TypeError('minBytes is a whole number of bytes, at least 1')
  }
}

const tooShort = (value: string, minBytes = 1): boolean => new TextEncoder().encode(value).length < minBytes

/** One secret: a provider's key, a token. For one that signs or encrypts, see {@link rotatingSecret}. */
export function secret(options: SecretOptions = {}): Secret<string> {
  const { minBytes } = options
  checkMinBytes(minBytes)
  const expected = `a secret${minBytes ? ` of at least ${minBytes} bytes` : ''}`
  return textual('secret', expected, { ...options, secret: true }, (value) =>
    tooShort(value, minBytes) ? bad('is too short') : good(value),
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
  const { minBytes } = options
  checkMinBytes(minBytes)
  const expected = `one or more secrets${minBytes ? ` of at least ${minBytes} bytes` : ''}, newest first, commas between`
  return textual('rotatingSecret', expected, { ...options, secret: true }, (value) => {
    const list = value.split(',').map((part) => part.trim())
    if (list.includes('')) return bad('has an empty place in its list')
    if (new Set(list).size < list.length) return bad('lists the same secret twice')
    return list.some((part) => tooShort(part, minBytes))
      ? bad('has a secret that is too short')
      : good(list as [string, ...string[]])
  })
}

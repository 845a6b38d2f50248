import type { Context, MiddlewareHandler, Next } from 'hono'
import { BreakwaterError, type FieldFault } from '../core/index.ts'
import { validationFailed } from './errors.ts'

/** Reads one field: gives its value, or says what is wrong. */
export type Field<T> = (value: unknown) => { readonly value: T } | { readonly fault: string }

// The pattern HTML's <input type="email"> uses (WHATWG), with a dot in the domain and RFC 5321's lengths.
const EMAIL =
  /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/

/** One spelling for one mailbox: trimmed, NFC, lower case. Undefined when it is no mail address. */
export function normaliseEmail(text: string): string | undefined {
  if (text.length > 512) return undefined
  const email = text.trim().normalize('NFC').toLowerCase()
  return email.length <= 254 && EMAIL.test(email) ? email : undefined
}

/** A mail address, normalised. */
export const email: Field<string> = (value) => {
  const normal = typeof value === 'string' ? normaliseEmail(value) : undefined
  return normal === undefined ? { fault: 'must be a mail address' } : { value: normal }
}

/** A password, exactly as typed. Its strength is judged later; its size is bounded by the body's. */
export const password: Field<string> = (value) =>
  typeof value === 'string' && value !== '' ? { value } : { fault: 'must be a non-empty text' }

/** A token, not yet parsed: one that is malformed is answered as one that is unknown. */
export const token: Field<string> = (value) =>
  typeof value === 'string' && value !== '' ? { value } : { fault: 'must be a non-empty text' }

/** How the session shall travel. Left out, by cookie. */
export const transport: Field<'cookie' | 'token' | undefined> = (value) =>
  value === undefined || value === 'cookie' || value === 'token'
    ? { value }
    : { fault: 'must be cookie or token' }

type Shape = Readonly<Record<string, Field<unknown>>>
type Values<S extends Shape> = { [K in keyof S]: S[K] extends Field<infer T> ? T : never }

const JSON_TYPE = /^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i

async function readJson(c: Context): Promise<Readonly<Record<string, unknown>>> {
  // A form or a plain text is what another site can send without asking first.
  if (!JSON_TYPE.test(c.req.header('content-type') ?? '')) {
    throw new BreakwaterError('unsupported-media-type', { status: 415, detail: 'Send application/json.' })
  }
  const text = await c.req.text()
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    // Not as the cause: a parser's message quotes what it read, here a password.
    throw new BreakwaterError('malformed-json', { status: 400, detail: 'The body is not JSON.' })
  }
}

/**
 * Validates a JSON body, typed for `hc`. Unknown members are ignored.
 * @throws BreakwaterError `unsupported-media-type`, `malformed-json`, `validation-failed`
 */
export function body<S extends Shape>(
  shape: S,
): MiddlewareHandler<object, string, { in: { json: Values<S> }; out: { json: Values<S> } }> {
  const validBody = async (c: Context, next: Next): Promise<void> => {
    const object = await readJson(c)
    const faults: FieldFault[] = []
    const values: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(shape)) {
      const result = field(Object.hasOwn(object, name) ? object[name] : undefined)
      if ('fault' in result) faults.push({ pointer: `/${name}`, detail: result.fault })
      else values[name] = result.value
    }
    if (faults.length > 0) throw validationFailed(faults)
    c.req.addValidatedData('json', values)
    await next()
  }
  // For whoever describes the route.
  return Object.assign(validBody, { shape })
}

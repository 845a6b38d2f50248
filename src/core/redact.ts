import { MASK, redactText } from './redact-text.ts'

/** How {@link redact} works. */
export interface RedactOptions {
  /** More key names whose values are masked, as plain words: compared without case, `-`, `_`, `.` and spaces. */
  readonly keys?: readonly string[]
  /** Keep IP addresses. Default false: they are personal data. */
  readonly keepAddresses?: boolean
  /** Levels of nesting that are kept. Default 6. */
  readonly maxDepth?: number
  /** Values that are visited in all, which bounds time. Default 1000. */
  readonly maxValues?: number
  /** Characters that are kept of one string. Default 4096. */
  readonly maxLength?: number
}

// Parts of words: `x-api-key`, `STRIPE_SECRET`, `userPassword`, `set-cookie` all contain one.
const SENSITIVE =
  /passw|passphrase|^pwd|secret|token|apikey|authori[sz]ation|cookie|credential|privatekey|accesskey|encryptionkey|signature|^sig$|^session(id)?$|^sid$|jwt|bearer|csrf|xsrf|^otp$|totp|onetimecode|recoverycode|backupcode|^pin$|cvv|cvc|cardnumber|^pan$|^ssn$|iban|dsn$|databaseurl|connectionstring|email|phone|^mail(to)?$/

/** Whether the value under a key of this name is to be masked whatever it looks like. */
export function isSensitiveKey(key: string, extra: readonly string[] = []): boolean {
  const word = plain(key.length > 128 ? key.slice(0, 128) : key)
  return SENSITIVE.test(word) || extra.some((other) => word === plain(other))
}

function plain(key: string): string {
  return key.toLowerCase().replace(/[-_.\s[\]]/g, '')
}

interface Walk {
  readonly options: RedactOptions
  readonly seen: Set<object>
  left: number
  characters: number
}

const MAX_CHARACTERS = 65_536
/** Of one container, so that a large one leaves room for what stands beside it. */
const MAX_ENTRIES = 100

/**
 * A deep copy that is safe to log: plain JSON values, with secrets and personal data masked by the name of their key
 * and by their shape. Works on anything and never throws: cycles, throwing getters, hostile proxies, BigInt, symbols.
 * Depth, size and time are bounded.
 */
export function redact(value: unknown, options: RedactOptions = {}): unknown {
  return visit(
    value,
    { options, seen: new Set(), left: options.maxValues ?? 1000, characters: MAX_CHARACTERS },
    0,
  )
}

/** An error as `{ name, message, stack, cause, … }`, redacted. Also takes things that are thrown and are no errors. */
export function redactError(error: unknown, options: RedactOptions = {}): unknown {
  return redact(error, options)
}

function visit(value: unknown, walk: Walk, depth: number): unknown {
  if (--walk.left < 0) return '[truncated]'
  switch (typeof value) {
    case 'string':
      if (walk.characters <= 0) return '[truncated]'
      walk.characters -= Math.min(value.length, walk.options.maxLength ?? 4096)
      return redactText(value, walk.options)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'bigint':
      return redactText(String(value), walk.options)
    case 'symbol':
      return redactText(String(value), walk.options)
    case 'function':
      return '[function]'
    case 'object':
      break
    default:
      return value // boolean, undefined
  }
  if (value === null) return null
  if (walk.seen.has(value)) return '[circular]'
  if (depth >= (walk.options.maxDepth ?? 6)) return '[truncated]'
  walk.seen.add(value)
  try {
    return visitObject(value, walk, depth)
  } catch {
    return '[unreadable]'
  } finally {
    // The same object twice side by side is no cycle.
    walk.seen.delete(value)
  }
}

function visitObject(value: object, walk: Walk, depth: number): unknown {
  if (value instanceof Error) return visitError(value, walk, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof URL || value instanceof RegExp) return redactText(String(value), walk.options)
  if (Array.isArray(value)) return visitArray(value, walk, depth)
  if (value instanceof Promise) return '[promise]'
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
  if (value instanceof Set) return visitArray([...take(value)], walk, depth)
  if (typeof (value as { entries?: unknown }).entries === 'function' && Symbol.iterator in value) {
    // Map, Headers, FormData, URLSearchParams.
    return visitPairs(take((value as Map<unknown, unknown>).entries()), walk, depth)
  }
  return visitPairs(readable(value), walk, depth)
}

function visitArray(value: readonly unknown[], walk: Walk, depth: number): unknown {
  // [name, value], as header lists have it.
  if (value.length === 2 && typeof value[0] === 'string' && isSensitiveKey(value[0], walk.options.keys)) {
    return [value[0], MASK]
  }
  const out: unknown[] = []
  for (const item of value) {
    if (walk.left <= 0 || out.length >= MAX_ENTRIES) {
      out.push('[truncated]')
      break
    }
    out.push(visit(item, walk, depth + 1))
  }
  return out
}

function visitPairs(pairs: Iterable<readonly [unknown, unknown]>, walk: Walk, depth: number): unknown {
  const out: Record<string, unknown> = {}
  let entries = 0
  for (const [name, value] of pairs) {
    // Keys can be personal data too: { 'ann@example.com': 3 }.
    const raw = typeof name === 'string' ? name : typeof name === 'symbol' ? '[symbol]' : String(name)
    const key = redactText(raw, walk.options)
    if (walk.left <= 0 || entries++ >= MAX_ENTRIES) {
      define(out, '…', '[truncated]')
      break
    }
    const hidden = isSensitiveKey(raw, walk.options.keys) && value != null && typeof value !== 'boolean'
    define(out, key, hidden ? MASK : visit(value, walk, depth + 1))
  }
  return out
}

/** `__proto__` stays data. */
function define(out: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true })
}

function* readable(value: object): Generator<readonly [string, unknown]> {
  for (const key of Object.keys(value)) {
    let item: unknown
    try {
      item = (value as Record<string, unknown>)[key]
    } catch {
      item = '[unreadable]'
    }
    yield [key, item]
  }
}

/** One more than is kept, so that it shows when some are missing. */
function* take<T>(items: Iterable<T>): Generator<T> {
  let left = MAX_ENTRIES
  for (const item of items) {
    yield item
    if (left-- <= 0) return
  }
}

function visitError(error: Error, walk: Walk, depth: number): unknown {
  const read = (key: string): unknown => {
    try {
      return (error as unknown as Record<string, unknown>)[key]
    } catch {
      return '[unreadable]'
    }
  }
  const out: Record<string, unknown> = {}
  for (const key of ['name', 'message', 'code', 'stack']) {
    const value = read(key)
    if (typeof value === 'string' || typeof value === 'number') out[key] = visit(value, walk, depth + 1)
  }
  for (const key of ['cause', 'errors']) {
    const value = read(key)
    if (value !== undefined) out[key] = visit(value, walk, depth + 1)
  }
  return out
}

import type { Context } from 'hono'
import { currentWork } from '../core/index.ts'

/** Where a request comes from, as far as a session list, an audit record and a limiter need to know. */
export interface Visitor {
  /** The network address; IPv6 in its /64. */
  readonly address: string
  /** Such as `Firefox on Windows`. */
  readonly device: string | null
  /** ISO 3166-1 alpha-2. */
  readonly country: string | null
  readonly city: string | null
  /** Lets what has begun go on past the reply. */
  waitUntil(promise: Promise<unknown>): void
  /** Begins work past the reply, so that it takes none of the connections that the reply still needs. */
  later(work: () => PromiseLike<unknown>): void
}

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  // Order matters: everyone claims to be someone older.
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\b(?:OPR|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:Chrome|CriOS|Chromium)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
]

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
]

/** A few words that let a person recognise a device in a list; null when nothing is recognised. */
export function deviceSummary(userAgent: string | undefined): string | null {
  const text = (userAgent ?? '').slice(0, 512)
  const find = (table: typeof BROWSERS) => table.find(([pattern]) => pattern.test(text))?.[1]
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)]
  if (browser !== undefined && system !== undefined) return `${browser} on ${system}`
  return browser ?? system ?? null
}

/**
 * What a limiter counts by. Whoever has one IPv6 address has 2^64 of them, so those count by their /64; an IPv4
 * address written as IPv6 counts as itself.
 */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped?.[1] !== undefined) return mapped[1]
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups =
    tail === undefined
      ? left
      : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
  const prefix = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''))
  return `${prefix.join(':')}::/64`
}

function property(value: unknown, name: string): string | null {
  const found =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
  return typeof found === 'string' && found !== '' ? found.slice(0, 100) : null
}

/** Runs a promise past the reply, wherever this runs. */
export function runLater(c: Context, promise: Promise<unknown>): void {
  const work = currentWork()
  if (work !== undefined) {
    work.waitUntil(promise)
    return
  }
  try {
    c.executionCtx.waitUntil(promise)
  } catch {
    // Outside Workers nothing waits; a rejection must still not end the process.
    promise.catch(() => {})
  }
}

// There is no event for "the reply has gone". What is still to be done for it by then asks nobody, so this is more than
// it needs, also where a proxy stands in between.
const pastTheReply = () => new Promise<void>((resolve) => setTimeout(resolve, 50))

/** Reads the visitor off a request. */
export function visitorOf(c: Context, clientAddress: (c: Context) => string | undefined): Visitor {
  const cf: unknown = (c.req.raw as { readonly cf?: unknown }).cf
  return {
    address: addressKey(clientAddress(c) ?? 'unknown'),
    device: deviceSummary(c.req.header('user-agent')),
    country: property(cf, 'country'),
    city: property(cf, 'city'),
    waitUntil: (promise) => runLater(c, promise),
    later: (work) => runLater(c, pastTheReply().then(work)),
  }
}

/** What is stored, as far as HTTP's preconditions ask. */
export interface Validators {
  /** A strong entity tag with its quotes. */
  readonly etag: string
  readonly lastModified: Date
  /** Bytes. */
  readonly size: number
}

/** How to answer a GET or HEAD. */
export type Answer =
  | { readonly status: 200 }
  | { readonly status: 206; readonly start: number /** Inclusive. */; readonly end: number }
  | { readonly status: 304 | 412 | 416 }

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}

function httpDate(value: string | null): number | undefined {
  if (value === null) return undefined
  const time = Date.parse(value)
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000)
}

/** Whether an entity tag is in a list. Weak comparison forgets `W/`; strong comparison matches no weak tag. */
function listed(list: string, etag: string, weak: boolean): boolean {
  if (list.trim() === '*') return true
  for (const match of list.matchAll(/(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g)) {
    if (match[2] === etag && (weak || match[1] === undefined)) return true
  }
  return false
}

function rangeApplies(ifRange: string | null, { etag, lastModified }: Validators): boolean {
  if (ifRange === null) return true
  if (ifRange.startsWith('"') || ifRange.startsWith('W/')) return ifRange === etag
  return httpDate(ifRange) === seconds(lastModified)
}

/** One byte range; undefined when there is none that we serve (several, or another unit, or malformed). */
function parseRange(
  value: string,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=[ \t]*(\d{0,16})-(\d{0,16})[ \t]*$/i.exec(value)
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '') {
    if (last === '') return undefined
    const suffix = Number(last)
    if (suffix === 0 || size === 0) return 'unsatisfiable'
    return { start: Math.max(0, size - suffix), end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? Number.POSITIVE_INFINITY : Number(last)
  if (end < start) return undefined
  return start >= size ? 'unsatisfiable' : { start, end: Math.min(end, size - 1) }
}

/** Preconditions and ranges, in the order of RFC 9110, section 13.2.2. */
export function answer(headers: Headers, stored: Validators): Answer {
  const { etag, lastModified, size } = stored
  const ifMatch = headers.get('if-match')
  const ifUnmodified = httpDate(headers.get('if-unmodified-since'))
  if (ifMatch !== null) {
    if (!listed(ifMatch, etag, false)) return { status: 412 }
  } else if (ifUnmodified !== undefined && seconds(lastModified) > ifUnmodified) {
    return { status: 412 }
  }

  const ifNoneMatch = headers.get('if-none-match')
  const ifModified = httpDate(headers.get('if-modified-since'))
  if (ifNoneMatch !== null) {
    if (listed(ifNoneMatch, etag, true)) return { status: 304 }
  } else if (ifModified !== undefined && seconds(lastModified) <= ifModified) {
    return { status: 304 }
  }

  const range = headers.get('range')
  if (range === null || !rangeApplies(headers.get('if-range'), stored)) return { status: 200 }
  const wanted = parseRange(range, size)
  if (wanted === undefined) return { status: 200 }
  return wanted === 'unsatisfiable' ? { status: 416 } : { status: 206, ...wanted }
}

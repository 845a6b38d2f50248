import { runWork, type Span, uuidv7, type Work } from 'breakwater/core'

/** A unit of work whose spans and promises can be looked at. */
export interface TestWork {
  readonly work: Work
  readonly spans: Span[]
  readonly waiting: Promise<unknown>[]
  abort(): void
  run<T>(fn: () => Promise<T>): Promise<T>
}

/** @param budget milliseconds until the deadline; absent, there is none */
export function testWork(budget?: number): TestWork {
  const spans: Span[] = []
  const waiting: Promise<unknown>[] = []
  const controller = new AbortController()
  const work: Work = {
    kind: 'request',
    id: uuidv7(),
    trace: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true },
    signal: controller.signal,
    ...(budget !== undefined && { deadline: Date.now() + budget }),
    waitUntil: (promise) => waiting.push(promise),
    record: (span) => spans.push(span),
    facts: new Map(),
  }
  return { work, spans, waiting, abort: () => controller.abort(), run: (fn) => runWork(work, fn) }
}

/** All text that an error tracker could find in an error. */
export function everythingIn(error: unknown): string {
  const seen = new Set<unknown>()
  const look = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return String(value)
    if (seen.has(value)) return ''
    seen.add(value)
    const keys = new Set([...Object.getOwnPropertyNames(value), 'message', 'stack', 'cause'])
    return [...keys].map((key) => look((value as Record<string, unknown>)[key])).join(' ')
  }
  return look(error)
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it was not rejected')
}

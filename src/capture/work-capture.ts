import type { Span, Work } from '../core/index.ts'
import type { Surroundings } from './event.ts'
import type { Envelope } from './outbox.ts'
import { requestData } from './request-data.ts'

/** How many spans of one work are kept for its trace. */
const MAX_SPANS = 300

/** A span and the place of the one it happened in. */
export interface PlacedSpan {
  span: Span
  readonly parent: number | undefined
}

/** What has been captured of one unit of work. */
export class WorkCapture {
  readonly work: Work
  readonly request: Request | undefined
  name: string | (() => string)
  readonly start: number = Date.now()
  /** Errors that were told of. Made when there is one: weak collections cost the garbage collector dearly. */
  seen: WeakSet<object> | undefined
  readonly pending: Envelope[] = []
  readonly spans: PlacedSpan[] = []
  /** The route's pattern; known once Hono has matched. */
  route: (() => string | undefined) | undefined
  errors = 0
  /** An error that says of itself that it is no news made the reply. */
  expected = false
  ended = false
  /** Whether a reply of this status is told; by default those of 5xx. */
  tells: (status: number) => boolean = (status) => status >= 500
  /** The middleware or handler that runs now: what happens is part of it. */
  #current: number | undefined

  constructor(work: Work, request: Request | undefined, name: string | (() => string)) {
    this.work = work
    this.request = request
    this.name = name
  }

  /** Something took time. */
  add(span: Span): void {
    if (this.spans.length < MAX_SPANS) this.spans.push({ span, parent: this.#current })
  }

  /** Times a middleware or a handler; what happens within becomes part of it. */
  async within(op: string, name: string, run: () => unknown): Promise<unknown> {
    if (this.spans.length >= MAX_SPANS) return run()
    const parent = this.#current
    const start = Date.now()
    const placed: PlacedSpan = { span: { op, name, start, duration: 0, ok: true }, parent }
    this.#current = this.spans.push(placed) - 1
    let ok = false
    try {
      const result = await run()
      ok = true
      return result
    } finally {
      placed.span = { op, name, start, duration: Date.now() - start, ok }
      this.#current = parent
    }
  }

  surroundings(detailed = true): Surroundings {
    const { request } = this
    if (request === undefined) {
      const transaction = typeof this.name === 'function' ? this.name() : this.name
      return { work: this.work, transaction, request: undefined }
    }
    let route: string | undefined
    try {
      route = this.route?.()
    } catch {}
    return {
      work: this.work,
      transaction: `${request.method} ${route ?? '[unknown]'}`,
      request: requestData(request, route, detailed),
    }
  }
}

import type { Context, MiddlewareHandler } from 'hono'
import { asError } from './errors.ts'
import { setHeader } from './headers.ts'
import { type Duration, milliseconds } from './time.ts'
import { incomingTrace } from './trace.ts'
import { UnitOfWork, type WaitUntil, withBudget } from './unit-of-work.ts'
import { currentWork, runWork, type Work } from './work.ts'

/** Options of {@link requestContext}. */
export interface RequestContextOptions {
  /**
   * Time budget of a request. When it is spent, the work's signal is aborted and the reply is 504 `deadline-exceeded`.
   * `false` for none. Default 25 seconds.
   */
  readonly deadline?: Duration | false
  /**
   * Accept a well-formed `X-Request-Id` from the caller: 8 to 128 letters, digits and `-._~+/=:`. Only behind a
   * gateway of your own; else anyone can write ids into your logs. Default false.
   */
  readonly trustRequestId?: boolean
  /** Continue the caller's trace (`traceparent`, `sentry-trace`). Default true. */
  readonly continueTrace?: boolean
}

/** What {@link requestContext} adds to the context. */
export interface RequestContextEnv {
  Variables: {
    /** The unit of work; also found with `currentWork()`. */
    work: Work
    /** Its id, as in the reply's `X-Request-Id`. */
    requestId: string
  }
}

const WELL_FORMED_ID = /^[\w\-.~+/=:]{8,128}$/

/**
 * The unit of work of a request. Where a wrapper has begun one already (`shield`, error capture), that one.
 * @param context The `ExecutionContext`, or a function that finds it when it is needed.
 */
export function workForRequest(
  request: Request,
  context: WaitUntil | (() => WaitUntil | undefined) | undefined,
  options: RequestContextOptions = {},
): UnitOfWork {
  const { headers } = request
  const header = options.trustRequestId ? headers.get('x-request-id') : null
  const given = header !== null && WELL_FORMED_ID.test(header) ? header : undefined
  const current = currentWork()
  if (current?.kind === 'request') {
    const unit = current instanceof UnitOfWork ? current : adopt(current)
    if (given !== undefined) unit.goBy(given)
    // A wrapper does not know what is said further in.
    if (options.continueTrace === false) unit.leaveTrace()
    return unit
  }
  return new UnitOfWork('request', context, {
    signal: () => request.signal,
    ...(given !== undefined && { id: given }),
    ...(options.continueTrace !== false && { trace: () => incomingTrace(headers) }),
  })
}

/** A unit inside of another: same id, trace and facts, but a deadline and a signal of its own that it can abort. */
export function deriveWork(c: Context): UnitOfWork {
  const work: Work | undefined = c.get('work') ?? currentWork()
  return work ? adopt(work) : workForRequest(c.req.raw, () => executionContext(c))
}

function adopt(work: Work): UnitOfWork {
  const unit = new UnitOfWork('request', work, {
    id: work.id,
    trace: work.trace,
    facts: work.facts,
    signal: () => work.signal,
  })
  if (work.deadline !== undefined) unit.deadline = work.deadline
  const fail = work.fail?.bind(work)
  unit.observe({ span: (span) => work.record(span), ...(fail && { failed: fail }) })
  return unit
}

/**
 * Begins the unit of work of each request: its id, its trace, its time budget, its `waitUntil`. Mount it first. Every
 * reply carries `X-Request-Id`, error replies too.
 * @throws TypeError when built with a deadline that is no duration.
 */
export function requestContext(options: RequestContextOptions = {}): MiddlewareHandler<RequestContextEnv> {
  const budget = options.deadline === false ? undefined : milliseconds(options.deadline ?? 25_000)
  if (budget === 0) throw new TypeError('deadline must be more than 0; use false for none')
  return async function requestContext(c, next): Promise<void> {
    const unit = workForRequest(c.req.raw, () => executionContext(c), options)
    c.set('work', unit)
    c.set('requestId', unit.id)
    // Entering an async context costs something; a wrapper has done so already.
    const run = currentWork() === unit ? next : (): Promise<void> => runWork(unit, next)
    try {
      if (budget === undefined) await run()
      else {
        unit.deadline ??= Date.now() + budget
        await withBudget(unit, budget, run)
      }
    } catch (error) {
      // Thrown non-errors and a spent budget pass Hono's inner layers by.
      c.header('X-Request-Id', unit.id)
      throw asError(error)
    }
    setHeader(c, 'X-Request-Id', unit.id)
  }
}

function executionContext(c: Context): WaitUntil | undefined {
  try {
    return c.executionCtx
  } catch {
    return undefined // outside of a Worker
  }
}

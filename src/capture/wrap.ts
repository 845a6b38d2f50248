import { isNews, runWork, type Work, workFor, workForRequest } from '../core/index.ts'
import { Capture, type CaptureOptions, type WorkCapture } from './capture.ts'

/** What a Worker exports, as far as it is wrapped. */
export interface Handlers<Env> {
  fetch?(request: Request, env: Env, context: ExecutionContext): Response | Promise<Response>
  queue?(batch: MessageBatch, env: Env, context: ExecutionContext): unknown
  scheduled?(controller: ScheduledController, env: Env, context: ExecutionContext): unknown
}

/** The same handlers, watched. Those that were not there are not there. */
export type Captured<H, Env> = Pick<
  {
    fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response>
    queue(batch: MessageBatch, env: Env, context: ExecutionContext): Promise<void>
    scheduled(controller: ScheduledController, env: Env, context: ExecutionContext): Promise<void>
  },
  keyof H & ('fetch' | 'queue' | 'scheduled')
>

/** The execution context with an ear at `waitUntil`: what is rejected there reaches nobody otherwise. */
function listening(context: ExecutionContext, work: Work): ExecutionContext {
  return new Proxy(context, {
    get(target, property) {
      if (property === 'waitUntil') return (promise: Promise<unknown>) => work.waitUntil(promise)
      const value: unknown = Reflect.get(target, property, target)
      // The platform's methods insist on their own object.
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function watch<T>(
  capture: Capture,
  state: WorkCapture,
  mechanism: 'fetch' | 'queue' | 'scheduled',
  run: () => Promise<T>,
): Promise<T> {
  let status: number | undefined
  try {
    const result = await runWork(state.work, run)
    if (result instanceof Response) {
      status = result.status
      if (status >= 500 && state.errors === 0 && !state.expected) capture.returned(state, status)
    }
    return result
  } catch (error) {
    status = 500
    // It still goes to the platform, which retries a batch and counts the failure.
    if (isNews(error)) capture.failed(state, error, mechanism)
    throw error
  } finally {
    capture.end(state, status)
  }
}

/**
 * Watches a whole worker: errors that escape it (of any type), 5xx replies that nobody threw, rejected `waitUntil` promises,
 * failing batches and cron ticks. Put it outermost. It changes no reply and delays none.
 *
 * @param options what {@link createCapture} takes or returns; or a function of the Worker's environment.
 * @param handler the worker: a Hono app will do for one that only answers requests.
 */
export function withCapture<Env, H extends Handlers<Env>>(
  options: Capture | CaptureOptions | ((env: Env) => Capture | CaptureOptions),
  handler: H & Handlers<Env>,
): Captured<H, Env> {
  let made: Capture | undefined
  const of = (env: Env): Capture => {
    if (made === undefined) {
      const given = typeof options === 'function' ? options(env) : options
      made = given instanceof Capture ? given : new Capture(given)
    }
    return made
  }
  // Wrong options are to be seen when the worker is built.
  if (typeof options !== 'function') of(undefined as Env)

  const captured: Record<string, unknown> = {}
  if (handler.fetch) {
    captured['fetch'] = async (request: Request, env: Env, context: ExecutionContext) => {
      const capture = of(env)
      if (!capture.enabled) return handler.fetch?.(request, env, context)
      const work = workForRequest(request, context)
      const state = capture.begin(work, request, '')
      return watch(capture, state, 'fetch', async () =>
        handler.fetch?.(request, env, listening(context, work)),
      )
    }
  }
  if (handler.queue) {
    captured['queue'] = async (batch: MessageBatch, env: Env, context: ExecutionContext) => {
      const capture = of(env)
      const work = workFor('queue', context)
      if (!capture.enabled) return runWork(work, async () => handler.queue?.(batch, env, context))
      const state = capture.begin(work, undefined, `queue ${batch.queue}`)
      return watch(capture, state, 'queue', async () => handler.queue?.(batch, env, listening(context, work)))
    }
  }
  if (handler.scheduled) {
    captured['scheduled'] = async (controller: ScheduledController, env: Env, context: ExecutionContext) => {
      const capture = of(env)
      const work = workFor('scheduled', context)
      if (!capture.enabled) return runWork(work, async () => handler.scheduled?.(controller, env, context))
      const state = capture.begin(work, undefined, `scheduled ${controller.cron}`)
      return watch(capture, state, 'scheduled', async () =>
        handler.scheduled?.(controller, env, listening(context, work)),
      )
    }
  }
  return captured as unknown as Captured<H, Env>
}

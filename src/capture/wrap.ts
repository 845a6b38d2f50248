import { runWork, workFor, workForRequest } from '../core/index.ts'
import { type CaptureSource, captureOf, listening, watch } from './watch.ts'

/** What a Worker exports, as far as it is wrapped. */
export interface Handlers<Env> {
  fetch?(request: Request, env: Env, context: ExecutionContext): Response | Promise<Response>
  queue?(batch: MessageBatch, env: Env, context: ExecutionContext): unknown
  scheduled?(controller: ScheduledController, env: Env, context: ExecutionContext): unknown
  email?(message: ForwardableEmailMessage, env: Env, context: ExecutionContext): unknown
}

/** The same handlers, watched. Those that were not there are not there. */
export type Captured<H, Env> = Pick<
  {
    fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response>
    queue(batch: MessageBatch, env: Env, context: ExecutionContext): Promise<void>
    scheduled(controller: ScheduledController, env: Env, context: ExecutionContext): Promise<void>
    email(message: ForwardableEmailMessage, env: Env, context: ExecutionContext): Promise<void>
  },
  keyof H & ('fetch' | 'queue' | 'scheduled' | 'email')
>

/**
 * Watches a whole worker: errors that escape it (of any type), 5xx replies that nobody threw, rejected `waitUntil` promises,
 * failing batches, cron ticks and mails. Put it outermost. It changes no reply and delays none.
 *
 * @param options what `createCapture` takes or returns; or a function of the Worker's environment.
 * @param handler the worker: a Hono app will do for one that only answers requests.
 */
export function withCapture<Env, H extends Handlers<Env>>(
  options: CaptureSource<Env>,
  handler: H & Handlers<Env>,
): Captured<H, Env> {
  const of = captureOf(options)

  async function other(
    kind: 'queue' | 'scheduled' | 'other',
    name: string,
    env: Env,
    context: ExecutionContext,
    run: (context: ExecutionContext) => unknown,
    cron?: string,
  ): Promise<unknown> {
    const capture = of(env)
    const work = workFor(kind, context)
    if (!capture.enabled) return runWork(work, async () => run(context))
    const state = capture.begin(work, undefined, name)
    return watch(capture, state, kind, async () => run(listening(context, work)), cron)
  }

  const captured: { -readonly [K in keyof Handlers<Env>]: unknown } = {}
  if (handler.fetch) {
    captured.fetch = async (request: Request, env: Env, context: ExecutionContext) => {
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
    captured.queue = (batch: MessageBatch, env: Env, context: ExecutionContext) =>
      other('queue', `queue ${batch.queue}`, env, context, (ctx) => handler.queue?.(batch, env, ctx))
  }
  if (handler.scheduled) {
    captured.scheduled = (controller: ScheduledController, env: Env, context: ExecutionContext) => {
      const { cron } = controller
      const run = (ctx: ExecutionContext): unknown => handler.scheduled?.(controller, env, ctx)
      return other('scheduled', `scheduled ${cron}`, env, context, run, cron)
    }
  }
  if (handler.email) {
    // Neither the sender nor the recipient is part of the name: both are people.
    captured.email = (message: ForwardableEmailMessage, env: Env, context: ExecutionContext) =>
      other('other', 'email', env, context, (ctx) => handler.email?.(message, env, ctx))
  }
  return captured as unknown as Captured<H, Env>
}

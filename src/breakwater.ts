import { type Capture, type CaptureOptions, withCapture } from './capture/index.ts'
import { type FetchHandler, type ShieldOptions, shield } from './core/index.ts'

/** Consumes the batches of one queue. What it rejects with is reported, and the batch is delivered again. */
export type QueueConsumer<Env> = (
  batch: MessageBatch,
  env: Env,
  context: ExecutionContext,
) => Promise<unknown>

/** Does what one cron expression asks for. What it rejects with is reported. */
export type CronTask<Env> = (
  controller: ScheduledController,
  env: Env,
  context: ExecutionContext,
) => Promise<unknown>

/** The parts of a worker. */
export interface BreakwaterOptions<Env> {
  /** Answers requests: a Hono app. */
  readonly app: FetchHandler<[Env, ExecutionContext]>
  /** Where failures are told: what `createCapture` takes or returns. */
  readonly capture: Capture | CaptureOptions
  /** Consumers by the name of their queue, as in wrangler.toml. */
  readonly queues?: Readonly<Record<string, QueueConsumer<Env>>>
  /** Tasks by their cron expression, as in wrangler.toml. */
  readonly crons?: Readonly<Record<string, CronTask<Env>>>
  /** How errors are rendered that escape the app. */
  readonly shield?: ShieldOptions
}

/** What a Worker's module exports by default. */
export interface BreakwaterHandler<Env> {
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response>
  queue(batch: MessageBatch, env: Env, context: ExecutionContext): Promise<void>
  scheduled(controller: ScheduledController, env: Env, context: ExecutionContext): Promise<void>
}

/**
 * Puts an app, its queue consumers and its cron tasks together into what a Worker exports: error capture outermost,
 * then the net that turns whatever escapes into a problem document, then the app.
 *
 * A queue or a cron that wrangler.toml names and nobody here answers for is an error that is reported, and its
 * messages are kept: silence would lose them.
 */
export function breakwater<Env>(options: BreakwaterOptions<Env>): BreakwaterHandler<Env> {
  const { queues = {}, crons = {} } = options
  const { fetch } = shield(options.app, options.shield)

  return withCapture<Env, BreakwaterHandler<Env>>(options.capture, {
    async fetch(request, env, context) {
      return fetch(request, env, context)
    },
    async queue(batch, env, context) {
      const consume = Object.hasOwn(queues, batch.queue) ? queues[batch.queue] : undefined
      if (consume === undefined) throw new TypeError(`Nothing consumes the queue ${batch.queue}`)
      await consume(batch, env, context)
    },
    async scheduled(controller, env, context) {
      const run = Object.hasOwn(crons, controller.cron) ? crons[controller.cron] : undefined
      if (run === undefined) throw new TypeError(`Nothing runs on the cron ${controller.cron}`)
      await run(controller, env, context)
    },
  })
}

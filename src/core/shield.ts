import { asError } from './errors.ts'
import { isNews, problemResponse } from './problem.ts'
import { isDevelopment, type ProblemsOptions, report } from './problems.ts'
import { type RequestContextOptions, workForRequest } from './request-context.ts'
import type { WaitUntil } from './unit-of-work.ts'
import { runWork } from './work.ts'

/** Options of {@link shield}: those of `problems`, and how request ids and traces are taken over. */
export interface ShieldOptions
  extends ProblemsOptions,
    Pick<RequestContextOptions, 'trustRequestId' | 'continueTrace'> {}

/** What answers requests: a Hono app, or what a Worker exports. */
export interface FetchHandler<Args extends readonly unknown[]> {
  fetch(request: Request, ...args: Args): Response | Promise<Response>
}

/**
 * The net around an app: whatever escapes it (a thrown string, an error inside an error handler, a handler that returns
 * nothing) becomes a problem document with a request id, and is reported. It also begins the unit of work, so that
 * everything within shares one id; the time budget is `requestContext`'s.
 */
export function shield<Args extends readonly unknown[]>(
  app: FetchHandler<Args>,
  options: ShieldOptions = {},
): FetchHandler<Args> {
  return {
    async fetch(request: Request, ...args: Args): Promise<Response> {
      const context = args[1] as WaitUntil | undefined
      const work = workForRequest(request, context, options)
      try {
        const response = await runWork(work, () => app.fetch(request, ...args))
        if (response instanceof Response) return response
        throw new TypeError('The app did not answer with a Response')
      } catch (thrown) {
        const error = asError(thrown)
        if (isNews(error)) report(error, 'fetch', work)
        return problemResponse(error, request, {
          ...(options.typeBase !== undefined && { typeBase: options.typeBase }),
          requestId: work.id,
          development: isDevelopment(options, args[0]),
        })
      }
    },
  }
}

import { isNews, runWork, type Work } from '../core/index.ts'
import { Capture } from './capture.ts'
import type { CaptureOptions } from './options.ts'
import type { WorkCapture } from './work-capture.ts'

/** What capture is built from: itself, its options, or a function of the Worker's environment that gives one of both. */
export type CaptureSource<Env> = Capture | CaptureOptions | ((env: Env) => Capture | CaptureOptions)

/** Finds the capture of an isolate, made once. Wrong options are seen when the worker is built, where they can be. */
export function captureOf<Env>(source: CaptureSource<Env>): (env: Env) => Capture {
  let made: Capture | undefined
  const of = (env: Env): Capture => {
    if (made === undefined) {
      const given = typeof source === 'function' ? source(env) : source
      made = given instanceof Capture ? given : new Capture(given)
    }
    return made
  }
  if (typeof source !== 'function') of(undefined as Env)
  return of
}

/** The execution context with an ear at `waitUntil`: what is rejected there reaches nobody otherwise. */
export function listening<C extends { waitUntil(promise: Promise<unknown>): void }>(
  context: C,
  work: Work,
): C {
  return new Proxy(context, {
    get(target, property) {
      if (property === 'waitUntil') return (promise: Promise<unknown>) => work.waitUntil(promise)
      const value: unknown = Reflect.get(target, property, target)
      // The platform's methods insist on their own object.
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Runs a handler and tells what became of it. */
export async function watch<T>(
  capture: Capture,
  state: WorkCapture,
  mechanism: 'fetch' | 'queue' | 'scheduled' | 'other',
  run: () => Promise<T>,
  cron?: string,
): Promise<T> {
  let status: number | undefined
  let ok = false
  try {
    const result = await runWork(state.work, run)
    ok = true
    if (result instanceof Response) {
      status = result.status
      ok = status < 500
      if (state.tells(status) && state.errors === 0 && !state.expected) capture.returned(state, status)
    }
    return result
  } catch (error) {
    status = mechanism === 'fetch' ? 500 : undefined
    // It still goes to the platform, which retries a batch and counts the failure.
    if (isNews(error)) capture.failed(state, error, mechanism)
    throw error
  } finally {
    capture.end(state, { status, ok, ...(cron !== undefined && { cron }) })
  }
}

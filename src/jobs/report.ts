import { currentWork, isBreakwaterError, type Reporter, workFor } from '../core/index.ts'
import { redact } from '../core/redact.ts'
import { redactText } from '../core/redact-text.ts'
import type { JobLog } from './context.ts'
import type { Failure } from './lease.ts'

/** An error as it may be kept in a row. */
export function describe(error: unknown): Failure {
  const { name, message } = error instanceof Error ? error : { name: 'NonError', message: String(error) }
  const cause = isBreakwaterError(error) && error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return { failure: name.slice(0, 100), failureDetail: redactText(`${message}${cause}`).slice(0, 1000) }
}

/** Which job an error is about. */
export interface About {
  readonly type: string
  readonly id: string
  readonly attempt?: number
}

/** Tells people that an attempt failed, or that a job is dead. Never throws. */
export function report(reporter: Reporter | undefined, error: unknown, job: About, dead: boolean): void {
  try {
    if (reporter === undefined) {
      // Whoever observes the work hears of it, and the console where nobody does.
      ;(currentWork() ?? workFor('queue')).fail?.(error, 'queue')
      return
    }
    reporter.captureException(error, {
      mechanism: 'queue',
      handled: true,
      level: dead ? 'error' : 'warning',
      tags: { job: job.type, outcome: dead ? 'dead' : 'retried' },
      extra: { jobId: job.id, attempt: job.attempt ?? 0 },
    })
  } catch {
    // A reporter does not throw; one that does must not cost the job.
  }
}

/** Tells people of jobs that crashed their worker in every attempt. */
export function reportCrashed(reporter: Reporter | undefined, jobs: readonly About[]): void {
  for (const job of jobs)
    report(reporter, new Error(`Job "${job.type}" crashed its worker in every attempt`), job, true)
}

/** Takes a line of a handler's log. */
export type WriteLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void

const toConsole: WriteLog = (level, message, fields) =>
  console[level](
    JSON.stringify({
      ...(redact(fields) as object),
      time: new Date().toISOString(),
      level,
      message: redactText(message),
    }),
  )

/** The log of one attempt. Never throws. */
export function logFor(write: WriteLog = toConsole, job: About): JobLog {
  const at =
    (level: Parameters<WriteLog>[0]) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      try {
        const work = currentWork()
        write(level, message, {
          ...fields,
          job: job.type,
          jobId: job.id,
          attempt: job.attempt,
          ...(work && { traceId: work.trace.traceId }),
        })
      } catch {}
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

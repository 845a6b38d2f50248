import type { ReportHint, Severity, Span, Work } from '../core/index.ts'
import { redact } from '../core/redact.ts'
import { redactText } from '../core/redact-text.ts'
import type { Frame, RawEvent } from './client.ts'
import { debugImages } from './debug-images.ts'
import type { RequestData } from './request-data.ts'

/** What stays the same for all events of a worker. */
export interface Identity {
  readonly release: string | undefined
  readonly environment: string
  readonly dist?: string
}

/** What is known where an event happens. */
export interface Surroundings {
  readonly work: Work | undefined
  /** `GET /users/:id`, `queue jobs`, `scheduled * * * * *`. */
  readonly transaction: string
  readonly request: RequestData | undefined
  /** Of a page; that of the work otherwise. */
  readonly trace?: Readonly<Record<string, string>>
  /** Debug ids of a page's scripts by their addresses; those of this isolate otherwise. */
  readonly debugIds?: Readonly<Record<string, string>>
}

const text = (value: unknown, max: number): string => redactText(String(value ?? ''), { maxLength: max })

function frames(list: readonly Frame[] | undefined): Frame[] | undefined {
  return list?.slice(-50).map(({ filename, function: name, module, lineno, colno, abs_path, in_app }) => ({
    ...(filename !== undefined && { filename }),
    ...(name !== undefined && { function: name }),
    ...(module !== undefined && { module }),
    ...(lineno !== undefined && { lineno }),
    ...(colno !== undefined && { colno }),
    ...(abs_path !== undefined && { abs_path }),
    ...(in_app !== undefined && { in_app }),
  }))
}

function breadcrumb({ op, name, start, duration, ok }: Span): Record<string, unknown> {
  return {
    timestamp: start / 1000,
    category: op,
    message: text(name, 300),
    level: ok ? 'info' : 'error',
    data: { duration },
  }
}

/** What is known of the work and is nobody's secret: the public id of the session, how near the limits it was, the job. */
const FACTS: readonly string[] = ['sessionId', 'keyId', 'rateLimit', 'job', 'jobId', 'route']

function facts(work: Work): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const name of FACTS) {
    const value = work.facts.get(name)
    if (value !== undefined) out[name] = text(value, 200)
  }
  return out
}

function tags(hint: ReportHint, work: Work | undefined): Record<string, string> {
  const out: Record<string, string> = {}
  if (work) {
    out['request_id'] = work.id
    out['work'] = work.kind
  }
  for (const [key, value] of Object.entries(hint.tags ?? {})) out[key.slice(0, 32)] = text(value, 200)
  return out
}

/** The members that error events and transactions share. */
export function common(identity: Identity, around: Surroundings): Record<string, unknown> {
  const { work } = around
  const userId = work?.facts.get('userId')
  return {
    platform: 'javascript',
    transaction: around.transaction,
    environment: identity.environment,
    ...(identity.release !== undefined && { release: identity.release }),
    ...(identity.dist !== undefined && { dist: identity.dist }),
    ...(userId !== undefined && { user: { id: String(userId).slice(0, 100) } }),
    ...(around.request && { request: around.request }),
    sdk: { name: 'breakwater', version: '0' },
  }
}

/**
 * An error event, put together anew from what may leave the isolate. Nothing passes because nobody thought of it: a
 * member that is not written here is not sent.
 */
export function errorEvent(
  raw: RawEvent,
  hint: ReportHint,
  identity: Identity,
  around: Surroundings,
): Record<string, unknown> {
  const { work } = around
  const level: Severity = hint.level ?? 'error'
  const mechanism = { type: hint.mechanism ?? 'generic', handled: hint.handled ?? true }
  const values = raw.exception?.values?.slice(0, 10)
  const images = values ? debugImages(values, around.debugIds) : []
  return {
    ...common(identity, around),
    event_id: raw.event_id,
    timestamp: Date.now() / 1000,
    level,
    ...(values
      ? {
          exception: {
            values: values.map((value, i) => ({
              type: text(value.type, 100),
              value: text(value.value, 2000),
              // The last is the one that was caught; those before are its causes.
              mechanism:
                i === values.length - 1 ? mechanism : { type: 'chained', handled: mechanism.handled },
              ...(value.stacktrace && { stacktrace: { frames: frames(value.stacktrace.frames) } }),
            })),
          },
        }
      : { message: text(raw.message, 2000) }),
    ...(images.length > 0 && { debug_meta: { images } }),
    tags: tags(hint, work),
    ...(hint.extra && { extra: redact(hint.extra) }),
    ...(hint.fingerprint && { fingerprint: hint.fingerprint.map((part) => text(part, 200)) }),
    ...(around.trace && { contexts: { trace: around.trace } }),
    ...(work && {
      contexts: {
        trace: {
          trace_id: work.trace.traceId,
          span_id: work.trace.spanId,
          ...(work.trace.parentSpanId !== undefined && { parent_span_id: work.trace.parentSpanId }),
        },
        work: facts(work),
      },
      breadcrumbs: { values: (work.spans ?? []).slice(-50).map(breadcrumb) },
    }),
  }
}

/** An envelope that holds one event (Sentry's envelope format: a header, then an item's header and its payload). */
export function envelope(type: 'event' | 'transaction', event: Record<string, unknown>): string {
  const header = JSON.stringify({ event_id: event['event_id'], sent_at: new Date().toISOString() })
  return `${header}\n${JSON.stringify({ type })}\n${JSON.stringify(event)}\n`
}

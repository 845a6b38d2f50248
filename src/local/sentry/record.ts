import { randomUUID } from 'node:crypto'
import type { EnvelopeItem } from './envelope.ts'
import type { Original } from './originals.ts'

/** One thing that was captured, as the stand-in keeps it. */
export interface CapturedRecord {
  /** The stand-in's own id: what was sent twice is shown twice. */
  readonly id: string
  /** ISO 8601. */
  readonly receivedAt: string
  readonly project: string
  /** `event`, `transaction`, `check_in`, `session`, `client_report`, `csp`, or whatever else an item said it was. */
  readonly type: string
  /** What a person looks for in a list. */
  readonly title: string
  /** Sentry's event id, where the item has one. */
  readonly eventId?: string
  readonly level?: string
  readonly environment?: string
  readonly release?: string
  readonly traceId?: string
  /** The transaction's name, for events and transactions. */
  readonly transaction?: string
  /** The envelope's header, or what stood in its place. */
  readonly envelope: Readonly<Record<string, unknown>>
  /** The item's JSON as it came; text where it was none, and base64 where it was not even that. */
  readonly payload: unknown
  /** Where the frames of its exceptions come from, where source maps say it. */
  readonly originals?: readonly (readonly (Original | null)[])[]
}

/** Makes a record of one item. */
export function toRecord(
  project: string,
  envelope: Readonly<Record<string, unknown>>,
  { header, payload }: EnvelopeItem,
): CapturedRecord {
  const value = readPayload(payload)
  const eventId = textAt(value, 'event_id') ?? textAt(envelope, 'event_id')
  const level = textAt(value, 'level') ?? (header.type === 'event' ? 'error' : undefined)
  const environment = textAt(value, 'environment') ?? textAt(at(value, 'attrs'), 'environment')
  const release = textAt(value, 'release') ?? textAt(at(value, 'attrs'), 'release')
  const traceId =
    textAt(at(at(value, 'contexts'), 'trace'), 'trace_id') ?? textAt(at(envelope, 'trace'), 'trace_id')
  const transaction = textAt(value, 'transaction')
  return {
    id: randomUUID(),
    receivedAt: new Date().toISOString(),
    project,
    type: header.type,
    title: titleOf(header.type, value),
    ...(eventId !== undefined && { eventId }),
    ...(level !== undefined && { level }),
    ...(environment !== undefined && { environment }),
    ...(release !== undefined && { release }),
    ...(traceId !== undefined && { traceId }),
    ...(transaction !== undefined && { transaction }),
    envelope,
    payload: value,
  }
}

function readPayload(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'))
  } catch {
    const text = payload.toString('utf8')
    return text.includes('\ufffd') ? payload.toString('base64') : text
  }
}

function titleOf(type: string, value: unknown): string {
  switch (type) {
    case 'transaction':
      return textAt(value, 'transaction') ?? '(unnamed transaction)'
    case 'check_in':
      return `${textAt(value, 'monitor_slug') ?? '(unnamed monitor)'}: ${textAt(value, 'status') ?? '?'}`
    case 'session':
      return `session ${textAt(value, 'status') ?? '?'}`
    case 'sessions':
      return 'sessions, summed up'
    case 'client_report':
      return `dropped: ${list(at(value, 'discarded_events'))
        .map(
          (event) =>
            `${numberAt(event, 'quantity') ?? '?'} ${textAt(event, 'category') ?? '?'} (${textAt(event, 'reason') ?? '?'})`,
        )
        .join(', ')}`
    case 'csp': {
      const report = at(value, 'csp-report')
      return `${textAt(report, 'effective-directive') ?? textAt(report, 'violated-directive') ?? 'policy'} blocked ${textAt(report, 'blocked-uri') ?? '?'}`
    }
    default:
      return errorTitle(value) ?? type
  }
}

function errorTitle(value: unknown): string | undefined {
  // The last exception is the one that was thrown; those before it are its causes.
  const exception = exceptionsOf(value).at(-1)
  if (exception) return exception.value === '' ? exception.type : `${exception.type}: ${exception.value}`
  const message = at(value, 'message')
  return typeof message === 'string'
    ? message
    : (textAt(message, 'formatted') ??
        textAt(message, 'message') ??
        textAt(at(value, 'logentry'), 'formatted') ??
        textAt(at(value, 'logentry'), 'message'))
}

/** One exception of an event, with its frames from the outermost call to the innermost. */
export interface SeenException {
  readonly type: string
  readonly value: string
  readonly mechanism: string
  readonly handled: boolean | undefined
  readonly frames: readonly unknown[]
}

/** The chain of exceptions of an event, causes first. */
export function exceptionsOf(event: unknown): SeenException[] {
  const exception = at(event, 'exception')
  return list(Array.isArray(exception) ? exception : at(exception, 'values')).map((one) => {
    const handled = at(at(one, 'mechanism'), 'handled')
    return {
      type: textAt(one, 'type') ?? 'Error',
      value: textAt(one, 'value') ?? '',
      mechanism: textAt(at(one, 'mechanism'), 'type') ?? '',
      handled: typeof handled === 'boolean' ? handled : undefined,
      frames: list(at(at(one, 'stacktrace'), 'frames')),
    }
  })
}

/** A member of something that may be anything. */
export function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}

/** A member that is text, and not empty. */
export function textAt(value: unknown, key: string): string | undefined {
  const member = at(value, key)
  return typeof member === 'string' && member !== '' ? member : undefined
}

/** A member that is a number. */
export function numberAt(value: unknown, key: string): number | undefined {
  const member = at(value, key)
  return typeof member === 'number' && Number.isFinite(member) ? member : undefined
}

/** The value if it is an array, or an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

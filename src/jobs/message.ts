import type { TraceContext } from '../core/index.ts'
import { continueTrace } from '../core/trace.ts'

/**
 * What travels in the queue: never the payload, so that no message is too large, none shows personal data, and a
 * message that is lost or doubled loses or doubles nothing.
 */
export interface JobMessage {
  /** The version of this form. */
  readonly v: 1
  readonly id: string
  /** W3C `traceparent` of the work that made the job. */
  readonly traceparent?: string
}

/** The part of a queue's producer that jobs use. */
export interface JobQueue {
  send(body: JobMessage, options?: { delaySeconds?: number }): Promise<unknown>
  sendBatch(messages: Iterable<{ body: JobMessage; delaySeconds?: number }>): Promise<unknown>
}

/** One message, as a queue hands it to its consumer. */
export interface QueueMessage {
  readonly id: string
  readonly body: unknown
  /** From 1. */
  readonly attempts: number
  ack(): void
  retry(options?: { delaySeconds?: number }): void
}

/** A batch of them. */
export interface QueueBatch {
  readonly queue: string
  readonly messages: readonly QueueMessage[]
}

/** The longest delay that a queue takes, in seconds. */
const MAX_DELAY = 86_400

/** Whole seconds that a queue accepts, never sooner than asked. */
export function delaySeconds(ms: number): number {
  return Math.min(MAX_DELAY, Math.max(0, Math.ceil(ms / 1000)))
}

/** The message of a job. */
export function messageFor(id: string, traceparent: string | null | undefined): JobMessage {
  return traceparent ? { v: 1, id, traceparent } : { v: 1, id }
}

/** Reads a message; undefined when it is none of ours. */
export function readMessage(body: unknown): { id: string; trace: TraceContext | undefined } | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { v, id, traceparent } = body as Record<string, unknown>
  if (v !== 1 || typeof id !== 'string' || !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id))
    return undefined
  return { id, trace: typeof traceparent === 'string' ? continueTrace(traceparent) : undefined }
}

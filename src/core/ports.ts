/**
 * The interfaces by which capabilities reach each other. A capability asks for one as an option and never
 * imports its provider; `src/index.ts` introduces them.
 */

/** A mail to send. Both bodies are required: a mail without a text part is what spam filters look for. */
export interface MailMessage {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  /** Overrides the mailer's own sender. RFC 5322 mailbox, for example `Acme <hello@acme.example>`. */
  readonly from?: string
  readonly replyTo?: string
  /** A word for statistics at the provider, such as `verify-mail`. */
  readonly tag?: string
}

/** Sends mail. Adapters live in `breakwater/mail`. */
export interface Mailer {
  /**
   * Hands one message to the provider. Resolves when the provider has accepted it.
   * `idempotencyKey` is passed on where the provider has such a thing, so that a retry does not send twice.
   */
  send(
    message: MailMessage,
    options?: { readonly idempotencyKey?: string; readonly signal?: AbortSignal },
  ): Promise<{ readonly id: string }>
}

/** How serious a reported event is; Sentry's levels. */
export type Severity = 'fatal' | 'error' | 'warning' | 'info' | 'debug'

/** What is known about an event beside the error itself. Never put personal data here. */
export interface ReportHint {
  readonly level?: Severity
  /** Whether our code met the error on purpose. Default true. */
  readonly handled?: boolean
  /** How it was caught, for example `hono`, `wait-until`, `queue`. */
  readonly mechanism?: string
  /** Indexed by the error tracker. Short values. */
  readonly tags?: Readonly<Record<string, string>>
  /** Shown with the event, not indexed. */
  readonly extra?: Readonly<Record<string, unknown>>
  /** Groups events that the tracker would not group by itself. */
  readonly fingerprint?: readonly string[]
}

/** Takes errors to wherever people look at them. Never throws, never delays the caller. */
export interface Reporter {
  captureException(error: unknown, hint?: ReportHint): void
  captureMessage(message: string, hint?: ReportHint): void
}

/** One thing to ask a limiter: may `key` spend `cost` under `policy`? */
export interface LimitRequest {
  /** The name of a policy the limiter knows, such as `credentials`. */
  readonly policy: string
  /** Who spends: an address, an account, any mix. Hashed by the limiter before it leaves the isolate. */
  readonly key: string
  /** Units to spend. Default 1. */
  readonly cost?: number
}

/** What a limiter decided about one or more requests, together. */
export interface LimitDecision {
  readonly allowed: boolean
  /** Seconds until a retry can succeed; 0 when allowed. */
  readonly retryAfter: number
  /** The policies that refused; empty when allowed. */
  readonly violated: readonly string[]
  /** Refused only because nothing could be counted just now: an outage of ours, no fault of the caller's. */
  readonly unavailable?: boolean
}

/** Decides about all the requests together: when one refuses, none of the others is charged. */
export interface Limiter {
  check(requests: readonly LimitRequest[]): Promise<LimitDecision>
  /** Gives back what a check took, for example after a successful sign-in. */
  refund?(requests: readonly LimitRequest[]): Promise<void>
}

/** When and how a job runs. */
export interface EnqueueOptions {
  /** At most one job with this key exists, whatever its state, until it is pruned. */
  readonly key?: string
  /** Seconds before it may start. Default 0. */
  readonly delay?: number
  /**
   * The database handle of the caller's transaction or batch. Given one, the job exists exactly when that
   * commits. Typed `unknown` here because core knows no database.
   */
  readonly tx?: unknown
}

/** Work that exists when the caller's own batch has committed. */
export interface PreparedWork {
  readonly id: string
  /** Goes into the caller's batch of statements. Typed `unknown` here because core knows no database. */
  readonly statement: unknown
  /** To be called after the commit: starts the work at once rather than when it is next looked for. Never fails. */
  send(): Promise<void>
}

/** Hands work to a queue by name. Resolves with the job's id once it is safely recorded. */
export interface Enqueue {
  (type: string, input: unknown, options?: EnqueueOptions): Promise<string>
  /** Prepares it for a batch of the caller's: one round trip where a transaction takes several. */
  prepare?(type: string, input: unknown, options?: Omit<EnqueueOptions, 'tx'>): Promise<PreparedWork>
}

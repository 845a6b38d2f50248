import { toHex } from '../core/bytes.ts'
import { type ReportHint, randomBytes, type Work } from '../core/index.ts'
import { type EventClient, errorOf, type RawEvent } from './client.ts'
import { complainOf } from './complain.ts'
import { envelope, errorEvent, type Identity, type Surroundings } from './event.ts'
import { fingerprintOf, foldKey } from './fingerprint.ts'
import { Fold } from './fold.ts'
import type { Settings } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { WorkCapture } from './work-capture.ts'

/** Where an error was met: the unit of work, and what is captured of it. Both are absent outside of any. */
export interface Met {
  readonly work: Work | undefined
  readonly capture: WorkCapture | undefined
}

/** What an {@link EventPipeline} works with. */
export interface EventPipelineOptions {
  readonly outbox: Outbox
  readonly client: EventClient
  readonly identity: Identity
  readonly settings: Settings
  readonly ignore: ((error: unknown) => boolean) | undefined
}

/** A message with an id of its own, in the form in which clients give errors. */
export const rawMessage = (message: string): RawEvent => ({ event_id: toHex(randomBytes(16)), message })

/** The way of an error to the tracker: met before or not wanted, read, counted, folded, put together, sent. Never throws. */
export class EventPipeline {
  readonly #options: EventPipelineOptions
  readonly #fold: Fold

  constructor(options: EventPipelineOptions) {
    this.#options = options
    this.#fold = new Fold(options.settings.maxAlike)
  }

  /** Something that was thrown, of whatever type. */
  exception({ work, capture }: Met, thrown: unknown, hint: ReportHint): void {
    try {
      if (typeof thrown === 'object' && thrown !== null && capture) {
        // The same error is met on its way through several hands: the app's, Hono's, ours.
        if (capture.seen?.has(thrown)) return
        capture.seen ??= new WeakSet()
        capture.seen.add(thrown)
      }
      if (this.#options.ignore?.(thrown)) {
        if (capture) capture.expected = true
        return
      }
      const raw = this.#options.client.build(errorOf(thrown))
      if (raw) this.raw({ work, capture }, raw, hint, thrown)
    } catch {
      // Whatever is wrong with the error or with us, the caller has enough to do.
    }
  }

  /** What has been read already; so many of one unit of work. */
  raw({ work, capture }: Met, raw: RawEvent, hint: ReportHint, thrown?: unknown): void {
    const { settings, outbox } = this.#options
    try {
      if (capture && ++capture.errors > settings.maxErrors) {
        outbox.drops.add('event_processor', 'error')
        return
      }
      const around = capture?.surroundings() ?? {
        work,
        transaction: work?.kind ?? 'module',
        request: undefined,
      }
      this.tell({ work, capture }, raw, hint, around, thrown)
    } catch {}
  }

  /** Folds it with others of its kind, or puts the event together and sends it. */
  tell(
    { work, capture }: Met,
    raw: RawEvent,
    hint: ReportHint,
    around: Surroundings,
    thrown?: unknown,
  ): void {
    const { outbox, identity } = this.#options
    const folded = this.#fold.pass(foldKey(raw, around.transaction))
    if (folded === undefined) {
      outbox.drops.add('event_processor', 'error')
      return
    }
    const fingerprint = hint.fingerprint ?? fingerprintOf(thrown, raw, around.transaction)
    const full: ReportHint = {
      ...hint,
      ...(fingerprint && { fingerprint }),
      ...(folded > 0 && { tags: { ...hint.tags, folded: String(folded) } }),
    }
    const body = envelope('event', errorEvent(raw, full, identity, around))
    const one = { category: 'error' as const, body }
    // While the work lasts, its events wait for its end.
    if (capture && !capture.ended) capture.pending.push(one)
    else {
      const sending = outbox.send([one])
      work?.waitUntil(sending)
    }
  }
}

/** Where there is no tracker: the log, and the work knows that it failed. */
export function complainInstead(capture: WorkCapture | undefined, thrown: unknown, hint: ReportHint): void {
  if (capture) capture.errors += 1
  complainOf(thrown, hint)
}

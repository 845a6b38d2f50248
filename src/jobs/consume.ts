import { currentWork, runWork, type TraceContext, workFor } from '../core/index.ts'
import { buryCrashed } from './ending.ts'
import { PermanentError } from './errors.ts'
import { Finisher, Holds } from './holds.ts'
import { type Claim, claim, type Unclaimed, whyUnclaimed } from './lease.ts'
import { delaySeconds, type QueueMessage, readMessage } from './message.ts'
import { report, reportCrashed } from './report.ts'
import { type Attempt, attempt, type Consumer, wake } from './run.ts'

/** How one message ended. */
export type Outcome =
  | 'done'
  | 'retried'
  | 'dead'
  /** Nothing to do: finished before, or a double. */
  | 'skipped'
  /** Not ours to run yet: the message comes again. */
  | 'early'
  /** Too many run under its key: the message comes again. */
  | 'waiting'
  /** Handed to a workflow. */
  | 'started'
  /** No message of ours. */
  | 'foreign'
  /** The database could not be asked: the message comes again. */
  | 'unreachable'

/** How the jobs of a batch ended. */
interface Result {
  readonly outcome: Outcome
  /** The message comes again after so many seconds. */
  readonly delay?: number
}

/** Runs a job as a unit of work of its own, in the trace of the request that made it. */
async function inWork(
  trace: TraceContext | undefined,
  { id, type }: Claim,
  fn: () => Promise<Attempt>,
): Promise<Attempt> {
  const outer = currentWork()
  const work = workFor('queue', outer, { ...(trace && { trace }) })
  work.facts.set('jobId', id)
  work.facts.set('job', type)
  const ended = outer?.begin?.(work)
  // The batch's observers hear of what happens in its messages.
  if (outer?.fail) work.observe?.({ failed: (error, mechanism) => outer.fail?.(error, mechanism) })
  let ok = false
  try {
    const result = await runWork(work, fn)
    ok = result.outcome !== 'retried' && result.outcome !== 'dead'
    return result
  } finally {
    ended?.(`job ${type}`, ok)
  }
}

/** One job that a message asks for. */
export interface Wanted {
  readonly id: string
  readonly trace?: TraceContext | undefined
  /** How often its message has come. */
  readonly deliveries: number
}

/** Runs what can be run of these jobs, and tells each as soon as it is known how it ended. Never throws. */
export async function runJobs(
  consumer: Consumer,
  wanted: readonly Wanted[],
  concurrency: number,
  tell: (id: string, result: Result) => void,
): Promise<void> {
  const byId = new Map(wanted.map((one) => [one.id, one]))
  const unreachable = (id: string, error: unknown): void => {
    const deliveries = byId.get(id)?.deliveries ?? 1
    report(consumer.reporter, error, { type: 'unknown', id, attempt: deliveries }, false)
    tell(id, {
      outcome: 'unreachable',
      delay: delaySeconds(Math.min(3_600_000, 5000 * 2 ** Math.min(deliveries, 12))),
    })
  }
  const ids = wanted.map(({ id }) => id)
  let claims: Claim[] = []
  let rest: ReadonlyMap<string, Unclaimed> = new Map()
  try {
    claims = await claim(consumer.db, ids, ids.length === 1)
  } catch (error) {
    for (const id of ids) unreachable(id, error)
    return
  }
  const taken = new Set(claims.map(({ id }) => id))
  const others = ids.filter((id) => !taken.has(id))
  const holds = new Holds(consumer.db)
  holds.add(claims)
  const suspects: string[] = []
  try {
    if (others.length > 0) rest = await whyUnclaimed(consumer.db, others)
    const crashed = others.filter((id) => rest.get(id)?.is === 'crashed')
    if (crashed.length > 0) {
      const { ended, ready } = await buryCrashed(consumer.db, crashed)
      reportCrashed(consumer.reporter, ended)
      await wake(consumer, ready)
    }
    for (const id of others) {
      const why = rest.get(id)
      if (why?.is === 'suspect') suspects.push(id)
      else if (why?.is === 'early')
        tell(id, { outcome: 'early', delay: delaySeconds(Math.min(86_400_000, why.ms + 1000)) })
      else tell(id, { outcome: why?.is === 'crashed' ? 'dead' : 'skipped' })
    }
  } catch (error) {
    for (const id of others) unreachable(id, error)
  }

  const finisher = new Finisher(consumer.db, (ready) => void wake(consumer, ready))
  const run = async (one: Claim): Promise<void> => {
    const wants = byId.get(one.id)
    try {
      const result = await inWork(wants?.trace, one, async () => {
        const loss = await holds.begin(one)
        return attempt(consumer, one, {
          loss,
          finish: (claim) => {
            slots.free(one.id)
            return finisher.finish(claim)
          },
        })
      })
      tell(one.id, result.delay === undefined ? result : { ...result, delay: result.delay })
    } catch (error) {
      unreachable(one.id, error)
    } finally {
      holds.drop(one.id)
      slots.free(one.id)
    }
  }
  const slots = new Slots(concurrency, () => finisher.expect(-1))
  finisher.expect(claims.length)
  await slots.run(claims, run)
  // One after another, so that the one that crashes its worker takes no other with it.
  for (const id of suspects) {
    try {
      const [one] = await claim(consumer.db, [id], true)
      if (one === undefined) {
        tell(id, { outcome: 'early', delay: 5 })
        continue
      }
      holds.add([one])
      finisher.expect(1)
      await slots.run([one], run)
    } catch (error) {
      unreachable(id, error)
    }
  }
}

/** Runs so many at once; one whose handler has returned makes room before its ending is written. */
class Slots {
  readonly #limit: number
  readonly #freed: () => void
  readonly #taken = new Set<string>()
  #wake = (): void => {}

  constructor(limit: number, freed: () => void) {
    this.#limit = limit
    this.#freed = freed
  }

  free(id: string): void {
    if (!this.#taken.delete(id)) return
    this.#wake()
    // After whoever just pushed its ending.
    queueMicrotask(this.#freed)
  }

  async run(items: readonly Claim[], fn: (item: Claim) => Promise<void>): Promise<void> {
    const running: Promise<void>[] = []
    for (const item of items) {
      while (this.#taken.size >= this.#limit) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
      this.#taken.add(item.id)
      running.push(fn(item))
    }
    await Promise.all(running)
  }
}

/** Handles messages. Never throws; each message is acknowledged or retried by the time it resolves. */
export async function handleMessages(
  consumer: Consumer,
  messages: readonly QueueMessage[],
  concurrency: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = messages.map(() => 'skipped')
  const wanted = new Map<string, Wanted & { at: number[] }>()
  messages.forEach((message, i) => {
    const read = readMessage(message.body)
    if (read === undefined) {
      const error = new PermanentError('A message that is no job was dropped')
      report(consumer.reporter, error, { type: 'unknown', id: '' }, true)
      message.ack()
      outcomes[i] = 'foreign'
      return
    }
    const same = wanted.get(read.id)
    // A double in the same batch shares the fate of the first.
    if (same) same.at.push(i)
    else wanted.set(read.id, { id: read.id, trace: read.trace, deliveries: message.attempts, at: [i] })
  })
  const told = (id: string, { outcome, delay }: Result): void => {
    for (const [n, i] of (wanted.get(id)?.at ?? []).entries()) {
      outcomes[i] = n > 0 && outcome === 'done' ? 'skipped' : outcome
      // Only after the commit.
      if (delay === undefined) messages[i]?.ack()
      else messages[i]?.retry({ delaySeconds: Math.max(1, delay) })
    }
  }
  if (wanted.size > 0) await runJobs(consumer, [...wanted.values()], concurrency, told)
  return outcomes
}

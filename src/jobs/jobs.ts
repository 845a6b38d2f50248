import { type EnqueueOptions, milliseconds } from '../core/index.ts'
import { handleMessages, type Outcome, runJobs } from './consume.ts'
import type { JobsTransaction } from './database.ts'
import { buryCrashed, cancelJobs, discardJobs } from './ending.ts'
import { batchRows, insertAll } from './fan-out.ts'
import { insertJob, insertStatement, type NewJob } from './insert.ts'
import type { AnyJob, JobRef } from './job.ts'
import { countJobs, listJobs, replayJobs, whichJobs } from './manage.ts'
import { delaySeconds, type JobQueue, messageFor, readMessage } from './message.ts'
import { dropInputs } from './payload.ts'
import { type JobEnqueueOptions, newJob, type PreparedJob, sendLater } from './produce.ts'
import { report, reportCrashed } from './report.ts'
import { wake } from './run.ts'
import { dueTicks, makeTicks, readSchedules } from './schedule.ts'
import type { Jobs, JobsOptions } from './service.ts'
import { sweepJobs, takeDue } from './upkeep.ts'
import { runWorkflow } from './workflow.ts'

/** Where there is no queue, nothing is sent: the relay of a worker that has one does. */
const NOWHERE: JobQueue = {
  send: () => Promise.reject(new Error('There is no queue')),
  sendBatch: () => Promise.reject(new Error('There is no queue')),
}

type Ref = JobRef<never>

function registered(options: JobsOptions): Map<string, AnyJob> {
  const jobs = new Map<string, AnyJob>()
  for (const def of options.jobs) {
    if (jobs.has(def.type)) throw new TypeError(`Two jobs are called "${def.type}"`)
    if (def.runsOn === 'workflow' && options.workflow === undefined)
      throw new TypeError(`Job "${def.type}" runs on a workflow, and createJobs was given none`)
    jobs.set(def.type, def)
  }
  const names = new Set<string>()
  for (const { name, job } of options.schedules ?? []) {
    if (names.has(name)) throw new TypeError(`Two schedules are called "${name}"`)
    if (jobs.get(job.type) !== (job as unknown))
      throw new TypeError(`Schedule "${name}" makes a job that is not among the jobs`)
    names.add(name)
  }
  return jobs
}

/**
 * Makes the job service. Holds nothing that belongs to a request, so it may live at module scope.
 * @throws TypeError when two jobs share a name or an option is wrong.
 */
export function createJobs(options: JobsOptions): Jobs {
  const { db, reporter, concurrency = 4, random = Math.random, payloads, schedules = [] } = options
  const queue = options.queue ?? NOWHERE
  const jobs = registered(options)
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new TypeError('concurrency must be a positive integer')
  const keep = {
    done: milliseconds(options.keep?.done ?? '7 d'),
    dead: milliseconds(options.keep?.dead ?? '30 d'),
  }
  const { workflow, log } = options
  const consumer = { db, queue, jobs, reporter, random, payloads, workflow, log }

  function known(def: Pick<AnyJob, 'type'>): AnyJob {
    const found = jobs.get(def.type)
    if (found !== def) throw new TypeError(`Job "${def.type}" is not among the jobs given to createJobs`)
    return found
  }

  /** Sends after the commit of `tx`, or now. */
  async function announce(tx: JobsTransaction | undefined, rows: readonly NewJob[]): Promise<void> {
    if (tx === undefined) await sendLater(queue, rows)
    else tx.onCommit?.(() => sendLater(queue, rows))
  }

  async function make(def: Ref, input: unknown, more: JobEnqueueOptions = {}): Promise<string> {
    const row = await newJob(known(def), input, more, payloads)
    const tx = more.tx as JobsTransaction | undefined
    const id = await insertJob(tx ?? db, row)
    // Another id: the key is taken, and that job has had its message.
    if (id === row.id) await announce(tx, [row])
    return id
  }

  async function prepare(def: Ref, input: unknown, more: JobEnqueueOptions = {}): Promise<PreparedJob> {
    const row = await newJob(known(def), input, more, payloads)
    return { id: row.id, statement: insertStatement(db, row), send: () => sendLater(queue, [row]) }
  }

  function named(type: string): Ref {
    const def = jobs.get(type)
    if (def === undefined) throw new TypeError(`There is no job "${type}"`)
    return def as unknown as Ref
  }

  const self: Jobs = {
    enqueue: make as Jobs['enqueue'],
    async enqueueMany(def, inputs, { tx, ...more } = {}) {
      const found = known(def)
      const rows: NewJob[] = []
      for (const input of inputs) rows.push(await newJob(found, input, more, payloads))
      await insertAll(tx ?? db, rows)
      await announce(tx, rows)
      return rows.map(({ id }) => id)
    },
    async batch(members, { after, tx }) {
      for (const { job } of [...members, after]) known(job)
      const made = await batchRows(members, after, payloads)
      const rows = [made.completion, ...made.members]
      await insertAll(tx ?? db, rows)
      await announce(tx, rows)
      return made.completion.id
    },
    byName: Object.assign(
      async (type: string, input: unknown, more?: EnqueueOptions) =>
        make(named(type), input, more as JobEnqueueOptions),
      {
        prepare: async (type: string, input: unknown, more?: EnqueueOptions) =>
          prepare(named(type), input, more as JobEnqueueOptions),
      },
    ),
    prepare: prepare as Jobs['prepare'],
    async transaction(fn) {
      const made: NewJob[] = []
      const result = await db.transaction((tx: JobsTransaction) =>
        fn(tx, async (def, input, more = {}) => {
          const row = await newJob(known(def), input, more, payloads)
          const id = await insertJob(tx, row)
          if (id === row.id) made.push(row)
          return id
        }),
      )
      await sendLater(queue, made)
      return result
    },
    consume: (batch) => handleMessages(consumer, batch.messages, concurrency),
    async consumeDead(batch) {
      const ids = batch.messages.flatMap(({ body }) => readMessage(body)?.id ?? [])
      try {
        // What is still pending has attempts left; the relay sends it again. Only what is running with no attempt
        // left and no lease has killed its workers.
        if (ids.length > 0) {
          const { ended, ready } = await buryCrashed(db, ids)
          reportCrashed(reporter, ended)
          await wake(consumer, ready)
        }
        for (const message of batch.messages) message.ack()
      } catch (error) {
        report(reporter, error, { type: 'unknown', id: '' }, false)
        for (const message of batch.messages) message.retry({ delaySeconds: 60 })
      }
    },
    runWorkflow: (params, step) => runWorkflow(consumer, params, step),
    async cron() {
      const swept = await self.sweep()
      const made = await self.tick()
      return { ...swept, made, sent: await self.relay() }
    },
    async relay({ limit = 2000 } = {}) {
      let sent = 0
      while (sent < limit && options.queue !== undefined) {
        // The most that a queue takes at once.
        const most = Math.min(100, limit - sent)
        const due = await takeDue(db, most)
        if (due.length === 0) break
        await queue.sendBatch(
          due.map(({ id, traceparent, ms }) => ({
            body: messageFor(id, traceparent),
            ...(ms > 0 && { delaySeconds: delaySeconds(ms) }),
          })),
        )
        sent += due.length
        if (due.length < most) break
      }
      return sent
    },
    async sweep() {
      const { requeued, crashed, ready, pruned, objects } = await sweepJobs(db, keep)
      reportCrashed(reporter, crashed)
      await wake(consumer, ready)
      await dropInputs(payloads, objects)
      return { requeued, crashed: crashed.length, pruned }
    },
    async tick() {
      if (schedules.length === 0) return 0
      const names = schedules.map(({ name }) => name)
      const { now, last } = await readSchedules(db, names)
      let made = 0
      for (const schedule of schedules) {
        const from = last.get(schedule.name)
        if (from === undefined) continue
        const due = dueTicks(schedule, from, now)
        if (due.last === from) continue
        const rows: NewJob[] = []
        for (const tick of due.ticks) {
          const at = new Date(tick)
          const key = `schedule:${schedule.name}:${at.toISOString()}`
          rows.push(await newJob(known(schedule.job), schedule.inputAt(at), { key }, payloads))
        }
        const written = await makeTicks(db, schedule.name, from, due.last, rows)
        made += written.size
        await sendLater(
          queue,
          rows.filter(({ id }) => written.has(id)),
        )
      }
      return made
    },
    async status(id) {
      return (await listJobs(db, { ids: [id] }))[0]
    },
    list: (more) => listJobs(db, more),
    counts: () => countJobs(db),
    async replay(filter) {
      const rows = await replayJobs(db, filter)
      await wake(
        consumer,
        rows.map((row) => ({ ...row, type: '' })),
      )
      return rows.map(({ id }) => id)
    },
    async discard(filter) {
      return (await discardJobs(db, whichJobs(filter))).ended.length
    },
    async cancel(filter) {
      const { ended, ready } = await cancelJobs(db, whichJobs(filter))
      await wake(consumer, ready)
      return ended.length
    },
    async run(id) {
      let outcome: Outcome = 'skipped'
      await runJobs(consumer, [{ id, deliveries: 1 }], 1, (_, result) => {
        outcome = result.outcome
      })
      return outcome
    },
  }
  return self
}

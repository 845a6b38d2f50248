/// <reference types="@cloudflare/vitest-plugin/types" />
import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test'
import { createCapture, withCapture } from 'breakwater/capture'
import { createJobs, job } from 'breakwater/jobs'
import { expect, it } from 'vitest'
import { z } from 'zod'

const refused = () => {
  throw new Error('connection refused')
}
const db = { execute: refused, update: refused, insert: refused, select: refused, delete: refused } as never
const mail = job('mail', { input: z.object({ to: z.string() }), transaction: false }, () => {})
const id = '01890000-0000-7000-8000-000000000000'

it('answers the platform’s own messages one by one, and never fails the batch', async () => {
  const told: string[] = []
  const jobs = createJobs({
    db,
    queue: { send: async () => {}, sendBatch: async () => {} },
    jobs: [mail],
    reporter: {
      captureException: (error) => told.push(String(error)),
      captureMessage: () => {},
    },
  })
  const worker = withCapture(createCapture({ dsn: undefined }), {
    queue: (batch: MessageBatch) => jobs.consume(batch),
  })
  const batch = createMessageBatch<unknown>('breakwater-jobs', [
    { id: 'good', timestamp: new Date(), attempts: 2, body: { v: 1, id } },
    { id: 'foreign', timestamp: new Date(), attempts: 1, body: 'hello' },
  ])
  const context = createExecutionContext()
  await worker.queue(batch, {}, context)
  const result = await getQueueResult(batch, context)
  expect(result.explicitAcks).toEqual(['foreign'])
  expect(result.retryMessages).toMatchObject([{ msgId: 'good' }])
  expect(told.sort()).toEqual(['Error: connection refused', expect.stringContaining('no job')])
})

it('does not lose the error where nobody gave it a reporter', async () => {
  const sent: string[] = []
  const capture = createCapture({
    dsn: 'https://key@ingest.example/1',
    tracesSampleRate: 0,
    fetch: (async (_url: string, init: RequestInit) => {
      sent.push(String(init.body))
      return new Response('{}')
    }) as unknown as typeof fetch,
  })
  const jobs = createJobs({ db, queue: { send: async () => {}, sendBatch: async () => {} }, jobs: [mail] })
  const worker = withCapture(capture, { queue: (batch: MessageBatch) => jobs.consume(batch) })
  const batch = createMessageBatch<unknown>('breakwater-jobs', [
    { id: 'm', timestamp: new Date(), attempts: 1, body: { v: 1, id } },
  ])
  const context = createExecutionContext()
  await worker.queue(batch, {}, context)
  await getQueueResult(batch, context)
  const errors = sent.filter((envelope) => envelope.includes('"type":"event"'))
  expect(errors.length).toBe(1)
  expect(errors[0]).toContain('connection refused')
  expect(errors[0]).toContain('queue breakwater-jobs')
})

import { createJobs, job } from 'breakwater/jobs'
import { beforeAll, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { run } from '../../../src/cli/jobs.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { TestQueue } from './support.ts'

let scratch: ScratchDatabase
const mail = job('mail', { input: z.object({ to: z.string() }), retry: { attempts: 1 } }, () => {
  throw new Error('refused')
})

beforeAll(async () => {
  scratch = await scratchDatabase()
})

async function cli(what: string[], values: object = {}): Promise<{ code: number; out: string }> {
  let out = ''
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  try {
    return { code: await run({ values: { url: scratch.url, ...values }, positionals: what }), out }
  } finally {
    spy.mockRestore()
  }
}

it('lists dead jobs without their input, shows one, replays it, and leaves the sending to the relay', async () => {
  const queue = new TestQueue()
  const jobs = createJobs({
    db: scratch.db,
    queue,
    jobs: [mail],
    reporter: { captureException: () => {}, captureMessage: () => {} },
  })
  const id = await jobs.enqueue(mail, { to: 'ada@example.com' })
  await jobs.run(id)
  const listed = await cli(['list'])
  expect(listed.out).toContain(`${id}  `)
  expect(listed.out).toContain('Error: refused')
  expect(listed.out).not.toContain('ada@example.com')
  expect((await cli(['show', id])).out).not.toContain('ada@example.com')
  expect((await cli(['show', id], { input: true })).out).toContain('ada@example.com')
  expect((await cli(['counts'])).out).toMatch(/1 {2}dead +mail/)
  queue.sent.length = 0
  expect(await cli(['replay', id])).toEqual({ code: 0, out: '1 replayed.\n' })
  expect(await cli(['replay', id])).toEqual({ code: 1, out: '0 replayed.\n' })
  await scratch.pool.query(`update breakwater.jobs set send_after = now()`)
  expect(await jobs.relay()).toBe(1)
  expect(queue.sent.map(({ body }) => body.id)).toEqual([id])
  expect(await cli(['cancel'], { all: true, type: 'mail', json: true })).toEqual({
    code: 0,
    out: '{"cancelled":1}\n',
  })
})

it('refuses to change everything by accident, and names what it does not know', async () => {
  await expect(cli(['replay'])).rejects.toThrow('Say which')
  await expect(cli(['discard'], { all: true })).rejects.toThrow('Say which')
  await expect(cli(['show', 'x'])).rejects.toThrow('no job')
  await expect(cli(['list'], { state: 'odd' })).rejects.toThrow('--state')
  await expect(cli(['erase'])).rejects.toThrow('one of')
})

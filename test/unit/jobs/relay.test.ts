import { requestContext } from 'breakwater/core'
import { relayJobs } from 'breakwater/jobs'
import { Hono } from 'hono'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function site(fails = false) {
  const asked: string[] = []
  const left: Promise<unknown>[] = []
  const note = (what: string) => async (options?: { limit?: number }) => {
    asked.push(options?.limit === undefined ? what : `${what} ${options.limit}`)
    if (fails) throw new Error('connection refused')
    return undefined as never
  }
  const app = new Hono()
    .use(requestContext())
    .use(relayJobs({ jobs: { relay: note('relay'), sweep: note('sweep') }, every: '10 s' }))
    .get('/', (c) => c.text('here'))
  const context = {
    waitUntil: (promise: Promise<unknown>) => void left.push(promise),
    passThroughOnException() {},
    props: {},
  }
  const get = async (): Promise<string> =>
    (await app.fetch(new Request('http://site.test/'), {}, context as never)).text()
  return { asked, left, get }
}

it('looks for lost jobs behind a reply, once in a while, however many requests there are', async () => {
  const { asked, get } = site()
  await get()
  await vi.advanceTimersByTimeAsync(9000)
  await get()
  await vi.advanceTimersByTimeAsync(900)
  expect(asked).toEqual([])
  await vi.advanceTimersByTimeAsync(200)
  expect(await Promise.all([get(), get(), get()])).toEqual(['here', 'here', 'here'])
  // The replies are out; nothing was asked on their time.
  expect(asked).toEqual([])
  await vi.advanceTimersByTimeAsync(1000)
  expect(asked).toEqual(['sweep', 'relay 100'])
  await get()
  await vi.advanceTimersByTimeAsync(10_000)
  await get()
  await vi.advanceTimersByTimeAsync(1000)
  expect(asked).toEqual(['sweep', 'relay 100', 'sweep', 'relay 100'])
})

it('leaves what fails to cron', async () => {
  const { asked, left, get } = site(true)
  await get()
  await vi.advanceTimersByTimeAsync(10_000)
  await get()
  await vi.advanceTimersByTimeAsync(1000)
  expect(asked).toEqual(['sweep'])
  await expect(Promise.all(left)).resolves.toBeDefined()
})

it('refuses to look all the time', () => {
  expect(() => relayJobs({ jobs: {} as never, every: 10 })).toThrow('every')
})

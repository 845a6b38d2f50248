import { expect, it } from 'vitest'
import { createOnce } from '../../../src/health/once.ts'

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

it('does not hang on a caller that went away', async () => {
  const once = createOnce<string>({ freshFor: 10, deadline: 30, poll: 5 })
  // The request of the first was aborted: its promise never settles.
  void once(() => new Promise(() => {}))
  const replies = await Promise.all([once(async () => 'second'), once(async () => 'third')])
  expect(new Set(replies.map((reply) => reply.value)).size).toBe(1)
})

it('gives the answer before while a new one is being found', async () => {
  const once = createOnce<number>({ freshFor: 10, deadline: 500, poll: 5 })
  await once(async () => 1)
  await sleep(20)
  let release = (): void => {}
  const slow = once(async () => {
    await new Promise<void>((resolve) => {
      release = resolve
    })
    return 2
  })
  expect((await once(async () => 3)).value).toBe(1)
  release()
  expect((await slow).value).toBe(2)
})

it('lets the next one work after a failure', async () => {
  const once = createOnce<number>({ freshFor: 10, deadline: 500 })
  await expect(once(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect((await once(async () => 1)).value).toBe(1)
})

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/**
 * What Queues promises in its documentation (developers.cloudflare.com/queues), asked of Miniflare. Where a line says
 * `it.fails`, Miniflare does otherwise: jobs are written for the documented behaviour and must not learn from
 * this one. When such a line turns red, Miniflare has been mended.
 */
const WORKER = `
export default {
  async fetch(request, env) {
    const { messages } = await request.json()
    try {
      await env[new URL(request.url).pathname.slice(1)].sendBatch(messages)
      return new Response('sent')
    } catch (error) {
      return new Response(String(error), { status: 422 })
    }
  },
  async queue(batch, env) {
    const seen = batch.messages.map(({ body, attempts }) => ({ id: body.id, attempts }))
    await fetch(env.OUTSIDE, { method: 'POST', body: JSON.stringify({ queue: batch.queue, at: Date.now(), seen }) })
    let end = () => {}
    for (const message of batch.messages) {
      const plan = batch.queue === 'dead' ? undefined : message.body.plan
      for (const word of (plan?.[message.attempts - 1] ?? 'ack').split(' ')) {
        const [what, seconds] = word.split(':')
        if (what === 'ack') message.ack()
        if (what === 'retry') message.retry(seconds ? { delaySeconds: Number(seconds) } : undefined)
        if (what === 'retryAll') end = () => batch.retryAll()
        if (what === 'throw') end = () => { throw new Error('the consumer failed') }
      }
    }
    end()
  },
}
`

interface Delivery {
  readonly queue: string
  readonly at: number
  readonly seen: readonly { readonly id: string; readonly attempts: number }[]
}

let outside: Server
let miniflare: Miniflare
const deliveries: Delivery[] = []

beforeAll(async () => {
  outside = createServer((request, reply) => {
    let text = ''
    request.on('data', (data) => {
      text += data
    })
    request.on('end', () => {
      deliveries.push(JSON.parse(text) as Delivery)
      reply.end()
    })
  })
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: 'contract',
      modules: true,
      script: WORKER,
      compatibilityDate: '2026-10-01',
      host: '127.0.0.1',
      port: 0,
      bindings: { OUTSIDE: `http://127.0.0.1:${(outside.address() as AddressInfo).port}` },
      queueProducers: { JOBS: 'jobs', SLOW: 'slow' },
      queueConsumers: {
        jobs: { maxBatchSize: 5, maxBatchTimeout: 0.1, maxRetries: 2, deadLetterQueue: 'dead' },
        dead: { maxBatchTimeout: 0 },
        slow: { maxBatchSize: 3, maxBatchTimeout: 1 },
      },
    }),
  )
  await miniflare.ready
})

afterAll(async () => {
  await miniflare?.dispose()
  outside?.close()
})

interface Sent {
  readonly body: { readonly id: string; readonly plan?: readonly string[]; readonly fill?: string }
  readonly delaySeconds?: number
}

async function send(messages: readonly Sent[], binding = 'JOBS'): Promise<number> {
  const reply = await miniflare.dispatchFetch(`http://worker.test/${binding}`, {
    method: 'POST',
    body: JSON.stringify({ messages }),
  })
  await reply.text()
  return reply.status
}

/** Deliveries of a message: how often it had come, and when. */
const of = (id: string, queue = 'jobs') =>
  deliveries.flatMap(({ queue: name, at, seen }) =>
    name === queue ? seen.filter((one) => one.id === id).map(({ attempts }) => ({ attempts, at })) : [],
  )

async function came(id: string, times: number, queue = 'jobs'): Promise<void> {
  for (let i = 0; i < 200 && of(id, queue).length < times; i++) await sleep(50)
  // And no more than that.
  await sleep(250)
}

describe('a message that was acknowledged', () => {
  it('does not come again', async () => {
    await send([{ body: { id: 'a1' } }])
    await came('a1', 1)
    expect(of('a1')).toHaveLength(1)
  })
  it.fails('does not come again when the consumer throws after it', async () => {
    await send([{ body: { id: 'a2', plan: ['ack', 'ack'] } }, { body: { id: 'b2', plan: ['throw', 'ack'] } }])
    await came('b2', 2)
    expect(of('b2')).toHaveLength(2)
    expect(of('a2')).toHaveLength(1)
  })
  it.fails('does not come again when the rest of the batch is retried', async () => {
    await send([
      { body: { id: 'a3', plan: ['ack', 'ack'] } },
      { body: { id: 'b3', plan: ['retryAll', 'ack'] } },
    ])
    await came('b3', 2)
    expect(of('b3')).toHaveLength(2)
    expect(of('a3')).toHaveLength(1)
  })
  it('does not come again when it is retried after that: the first word counts', async () => {
    await send([{ body: { id: 'a4', plan: ['ack retry', 'ack'] } }])
    await came('a4', 1)
    expect(of('a4')).toHaveLength(1)
  })
})

describe('a message that is retried', () => {
  it('comes again, and says how often it has come', async () => {
    await send([{ body: { id: 'r1', plan: ['retry', 'ack'] } }])
    await came('r1', 2)
    expect(of('r1').map(({ attempts }) => attempts)).toEqual([1, 2])
  })
  it('comes again when it is acknowledged after that: the first word counts', async () => {
    await send([{ body: { id: 'r2', plan: ['retry ack', 'ack'] } }])
    await came('r2', 2)
    expect(of('r2')).toHaveLength(2)
  })
  it('comes not before its delay is over', async () => {
    await send([{ body: { id: 'r3', plan: ['retry:2', 'ack'] } }])
    await came('r3', 2)
    const [first, second] = of('r3')
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1900)
  })
  it('goes to the dead letter queue after its last retry, as it was', async () => {
    await send([{ body: { id: 'r4', plan: ['retry', 'retry', 'retry', 'retry'] } }])
    await came('r4', 1, 'dead')
    expect(of('r4')).toHaveLength(3)
    expect(of('r4', 'dead')).toHaveLength(1)
  })
})

describe('sending', () => {
  it('holds a message back for as long as it is told', async () => {
    const before = Date.now()
    await send([{ body: { id: 's1' }, delaySeconds: 2 }])
    await came('s1', 1)
    expect((of('s1')[0]?.at ?? 0) - before).toBeGreaterThanOrEqual(1900)
  })
  it('refuses a hundred and one messages at once', async () => {
    expect(await send(Array.from({ length: 101 }, (_, i) => ({ body: { id: `many${i}` } })))).toBe(422)
    expect(await send([])).toBe(422)
  })
  it('refuses a message of more than 128 KB', async () => {
    expect(await send([{ body: { id: 'large', fill: 'x'.repeat(128_001) } }])).toBe(422)
  })
  it.fails('refuses more than 256 KB at once', async () => {
    const three = Array.from({ length: 3 }, (_, i) => ({ body: { id: `l${i}`, fill: 'x'.repeat(90_000) } }))
    expect(await send(three)).toBe(422)
  })
  it('refuses a delay of more than a day, and one below nothing', async () => {
    expect(await send([{ body: { id: 'late' }, delaySeconds: 86_401 }])).toBe(422)
    expect(await send([{ body: { id: 'early' }, delaySeconds: -1 }])).toBe(422)
  })
})

it('a batch is handed over when it is full or its time is up, never larger than allowed', async () => {
  const before = Date.now()
  await send(
    Array.from({ length: 4 }, (_, i) => ({ body: { id: `slow${i}` } })),
    'SLOW',
  )
  for (let i = 0; i < 4; i++) await came(`slow${i}`, 1, 'slow')
  const batches = deliveries.filter(({ queue }) => queue === 'slow')
  expect(batches.map(({ seen }) => seen.length)).toEqual([3, 1])
  expect((batches[1]?.at ?? 0) - before).toBeGreaterThanOrEqual(900)
})

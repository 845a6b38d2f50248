import { createServer, type IncomingMessage } from 'node:http'
import { parseEnvelope } from '@sentry/core'

/** One item of an envelope, as Sentry's own parser reads it. */
export interface SeenItem {
  readonly type: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever a client sends.
  readonly payload: any
}

/** Everything outside of the worker: Sentry's ingest, Neon, Upstash, and some API. */
export interface Outside {
  readonly url: string
  readonly dsn: string
  /** What came since the last reset. */
  readonly seen: { items: SeenItem[]; raw: string[]; api: Record<string, string>[] }
  /** Answers envelopes with this status until told otherwise. */
  status: number
  reset(): void
  stop(): Promise<void>
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

const NEON = JSON.stringify({
  fields: [
    {
      name: 'name',
      dataTypeID: 25,
      tableID: 0,
      columnID: 0,
      dataTypeSize: -1,
      dataTypeModifier: -1,
      format: 'text',
    },
  ],
  rows: [['Ann']],
  command: 'SELECT',
  rowCount: 1,
  rowAsArray: true,
})

/** Starts it on a port of its own. */
export async function startOutside(): Promise<Outside> {
  const outside = { status: 200, seen: { items: [], raw: [], api: [] } } as unknown as {
    -readonly [K in keyof Outside]: Outside[K]
  }
  outside.reset = () => {
    outside.seen = { items: [], raw: [], api: [] }
  }
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const path = request.url ?? '/'
    response.setHeader('content-type', 'application/json')
    if (path.startsWith('/api/1/envelope')) {
      outside.seen.raw.push(body.toString('utf8'))
      if (outside.status === 200) {
        for (const [header, payload] of parseEnvelope(new Uint8Array(body))[1]) {
          outside.seen.items.push({ type: header.type, payload })
        }
      }
      response.statusCode = outside.status
      if (outside.status === 429) response.setHeader('retry-after', '1')
      response.end('{}')
    } else if (path === '/sql') response.end(NEON)
    else if (path.startsWith('/api/')) {
      outside.seen.api.push(request.headers as Record<string, string>)
      response.end('{}')
    } else response.end(path === '/pipeline' ? '[{"result":null}]' : '{"result":null}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return Object.assign(outside, {
    url: `http://127.0.0.1:${address.port}`,
    dsn: `http://publickey@127.0.0.1:${address.port}/1`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  })
}

import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { type StandIn, serveStandIn } from 'breakwater/local'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'

let handled = 0
let standIn: StandIn

beforeEach(async () => {
  handled = 0
  const sockets = new WebSocketServer({ noServer: true })
  standIn = await serveStandIn({
    name: 'echo',
    async fetch(request) {
      handled++
      if (new URL(request.url).pathname === '/broken') throw new Error('broken on purpose')
      return new Response(`${request.method} ${await request.text()}`)
    },
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('message', (data) => {
          handled++
          webSocket.send(`echo ${data}`)
        })
      })
    },
  })
})

afterEach(() => standIn.stop())

async function faults(json: unknown, method = 'PUT'): Promise<Response> {
  return fetch(`${standIn.url}/__breakwater/faults`, { method, body: JSON.stringify(json) })
}

async function post(body = 'b'): Promise<string> {
  const response = await fetch(`${standIn.url}/sql?a=1`, { method: 'POST', body })
  return `${response.status} ${await response.text()}`
}

async function stats() {
  return (await fetch(`${standIn.url}/__breakwater/stats`)).json() as Promise<ReturnType<StandIn['stats']>>
}

describe('a stand-in told to misbehave', () => {
  it('answers with the wanted status, body and headers, as often as was said', async () => {
    await faults({ status: 429, body: '{"slow":"down"}', headers: { 'retry-after': '7' }, times: 1 })
    const response = await fetch(`${standIn.url}/`)
    expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([
      429,
      '7',
      '{"slow":"down"}',
    ])
    expect(handled).toBe(0)
    expect(await post()).toBe('200 POST b')
  })

  it('answers late', async () => {
    await faults({ latency: 120 })
    const began = performance.now()
    expect(await post()).toBe('200 POST b')
    // Timers may run a millisecond early.
    expect(performance.now() - began).toBeGreaterThan(115)
  })

  it('never answers until the client gives up', async () => {
    await faults({ hang: true, times: 1 })
    await expect(fetch(standIn.url, { signal: AbortSignal.timeout(150) })).rejects.toThrow(/timeout|aborted/)
    expect(handled).toBe(0)
    expect(await post()).toBe('200 POST b')
  })

  it('drops the connection before the effect', async () => {
    await faults({ drop: 'before', times: 1 })
    await expect(post()).rejects.toThrow('fetch failed')
    expect(handled).toBe(0)
  })

  it('drops the connection after the effect', async () => {
    await faults({ drop: 'after', times: 1 })
    await expect(post()).rejects.toThrow('fetch failed')
    expect(handled).toBe(1)
    expect(await post()).toBe('200 POST b')
  })

  it('strikes by path and by content only, and still hands the body on', async () => {
    await faults({ status: 500, match: '/sql', contains: 'INSERT' })
    expect(await post('SELECT 1')).toBe('200 POST SELECT 1')
    expect(await post('INSERT 1')).toMatch(/^500 /)
  })

  it('shows several faults at once; PUT replaces, POST adds, DELETE clears', async () => {
    await faults([{ latency: 1 }, { status: 503, times: 3 }])
    await post()
    await faults({ drop: 'before', match: '/other' }, 'POST')
    const listed = (await (await fetch(`${standIn.url}/__breakwater/faults`)).json()) as unknown
    expect(listed).toEqual({
      faults: [{ latency: 1 }, { status: 503, times: 3, left: 2 }, { drop: 'before', match: '/other' }],
    })
    await faults({ latency: 1 })
    expect(await post()).toBe('200 POST b')
    await fetch(`${standIn.url}/__breakwater/faults`, { method: 'DELETE' })
    expect(standIn.faults.list()).toEqual([])
  })

  it('refuses a wrong fault with a sentence, and keeps what stood', async () => {
    await faults({ latency: 1 })
    const refused = await faults({ statsu: 503 })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ error: expect.stringContaining('"statsu"') })
    const noJson = await fetch(`${standIn.url}/__breakwater/faults`, { method: 'PUT', body: '{' })
    expect(noJson.status).toBe(400)
    expect(standIn.faults.list()).toEqual([{ latency: 1 }])
    expect((await fetch(`${standIn.url}/__breakwater/faults`, { method: 'PATCH' })).status).toBe(405)
    expect((await fetch(`${standIn.url}/__breakwater/nothing`)).status).toBe(404)
  })

  it('takes no orders from the page of another site', async () => {
    const response = await fetch(`${standIn.url}/__breakwater/faults`, {
      method: 'POST',
      body: '{"hang":true}',
      headers: { 'sec-fetch-site': 'cross-site' },
    })
    expect(response.status).toBe(403)
    expect(standIn.faults.any).toBe(false)
  })
})

describe('a WebSocket of a stand-in', () => {
  async function open(): Promise<WebSocket> {
    const webSocket = new WebSocket(`${standIn.url.replace('http', 'ws')}/v2`)
    webSocket.on('error', () => {})
    await new Promise((resolve, reject) => {
      webSocket.once('open', resolve)
      webSocket.once('close', reject)
    })
    return webSocket
  }
  const reply = (webSocket: WebSocket): Promise<string> =>
    new Promise((resolve, reject) => {
      webSocket.once('message', (data) => resolve(String(data)))
      webSocket.once('close', (code) => reject(new Error(`closed ${code}`)))
    })

  it('has its messages and round trips counted', async () => {
    const webSocket = await open()
    const both = new Promise<void>((resolve) => {
      let seen = 0
      webSocket.on('message', () => ++seen === 2 && resolve())
    })
    webSocket.send('one')
    webSocket.send('x'.repeat(70_000))
    await both
    webSocket.send('three')
    await reply(webSocket)
    webSocket.close()
    const { webSockets, requests } = await stats()
    expect(requests).toEqual({ 'GET /v2': 1 })
    expect(webSockets.connections).toBe(1)
    expect(webSockets.received).toBe(3)
    expect(webSockets.sent).toBe(3)
    // The first two went together unless the machine was slow to send the second.
    expect([2, 3]).toContain(webSockets.roundTrips)
  })

  it('pays the latency once for messages that go together', async () => {
    const webSocket = await open()
    await faults({ latency: 100 })
    const began = performance.now()
    const all = new Promise<void>((resolve) => {
      let seen = 0
      webSocket.on('message', () => ++seen === 10 && resolve())
    })
    for (let i = 0; i < 10; i++) webSocket.send(String(i))
    await all
    const took = performance.now() - began
    expect(took).toBeGreaterThan(95)
    expect(took).toBeLessThan(900)
  })

  it('loses the reply to a message that had its effect', async () => {
    const webSocket = await open()
    await faults({ drop: 'after', contains: 'COMMIT' })
    webSocket.send('BEGIN')
    expect(await reply(webSocket)).toBe('echo BEGIN')
    webSocket.send('COMMIT')
    await expect(reply(webSocket)).rejects.toThrow('closed 1006')
    expect(handled).toBe(2)
  })

  it('loses a message before it had its effect', async () => {
    const webSocket = await open()
    await faults({ drop: 'before', match: 'WS /v2', times: 1 })
    webSocket.send('COMMIT')
    await expect(reply(webSocket)).rejects.toThrow('closed 1006')
    expect(handled).toBe(0)
    webSocket.terminate()
  })

  it('is refused with a status when that is asked for', async () => {
    await faults({ status: 503, times: 1 })
    await expect(open()).rejects.toBe(1006)
    expect((await open()).readyState).toBe(WebSocket.OPEN)
  })

  it('ends when the stand-in stops', async () => {
    const webSocket = await open()
    const closed = new Promise((resolve) => webSocket.once('close', resolve))
    await standIn.stop()
    expect(await closed).toBe(1006)
  })
})

describe('the host', () => {
  it('counts requests by method and path until it is told to begin anew', async () => {
    await post()
    await post()
    await fetch(`${standIn.url}/`)
    expect(await stats()).toMatchObject({ total: 3, requests: { 'POST /sql': 2, 'GET /': 1 } })
    await fetch(`${standIn.url}/__breakwater/stats`, { method: 'DELETE' })
    expect(await stats()).toMatchObject({ total: 0, requests: {} })
  })

  it('says what went wrong in a handler, and goes on', async () => {
    const response = await fetch(`${standIn.url}/broken`)
    expect([response.status, await response.text()]).toEqual([
      500,
      'The echo stand-in failed: broken on purpose\n',
    ])
    expect(await post()).toBe('200 POST b')
  })

  it('listens on loopback addresses only', async () => {
    const app = { name: 'x', fetch: () => new Response() }
    await expect(serveStandIn(app, { host: '0.0.0.0' })).rejects.toThrow('loopback')
    await expect(serveStandIn(app, { host: 'example.com' })).rejects.toThrow('loopback')
  })

  it('does not answer to the names of others, which is how a web page would read it', async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(standIn.port, '127.0.0.1', () => {
        socket.write('GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n')
      })
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('close', () => resolve(text))
    })
    expect(answer).toMatch(/^HTTP\/1.1 403/)
    expect(handled).toBe(0)
  })

  it('names the part and the port when the port is taken', async () => {
    const again = serveStandIn({ name: 'other', fetch: () => new Response() }, { port: standIn.port })
    await expect(again).rejects.toMatchObject({ name: 'PortTaken', part: 'other', port: standIn.port })
  })

  it('stops while requests hang', async () => {
    await faults({ hang: true })
    const hanging = post().catch((error: Error) => error.message)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await standIn.stop()
    expect(await hanging).toBe('fetch failed')
  })
})

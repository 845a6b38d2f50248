import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import { authenticate, Refused } from './authenticate.ts'
import { cancel, openSocket, type Target } from './target.ts'
import { errorResponse, int32, type Message, MessageReader, message, startupParameters } from './wire.ts'

/** Carries Postgres's protocol between WebSockets and the server. */
export interface Tunnel {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  close(): void
}

const PROTOCOL_3 = 3
const SSL_REQUEST = 80877103
const GSS_REQUEST = 80877104
const CANCEL_REQUEST = 80877102

/** Messages from a stream, one at a time; what is left over can be taken and handed on. */
class Opening {
  readonly #reader = new MessageReader()
  readonly #stream: Duplex
  #wake: () => void = () => {}
  #over = false
  readonly #take = (bytes: Buffer): void => {
    this.#reader.push(bytes)
    this.#wake()
  }
  readonly #end = (): void => {
    this.#over = true
    this.#wake()
  }

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('data', this.#take)
    stream.on('end', this.#end)
    stream.on('close', this.#end)
  }

  /** The next message; undefined when the client has gone. */
  async next(typed: boolean): Promise<Message | undefined> {
    for (;;) {
      const found = this.#reader.next(typed)
      if (found !== undefined || this.#over) return found
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Stops reading; what came too early for anyone. */
  detach(): Buffer {
    this.#stream.pause()
    this.#stream.off('data', this.#take)
    this.#stream.off('end', this.#end)
    this.#stream.off('close', this.#end)
    return this.#reader.rest()
  }
}

/** The client's start-up message, past the questions that may come before it; undefined when there is none. */
async function readStartup(opening: Opening, client: Duplex, target: Target): Promise<Message | undefined> {
  for (;;) {
    const first = await opening.next(false)
    if (first === undefined || first.body.length < 4) return undefined
    const code = first.body.readInt32BE(0)
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      // The line is the WebSocket's business.
      client.write('N')
    } else if (code === CANCEL_REQUEST) {
      await cancel(target, Buffer.from(first.body.subarray(4)))
      return undefined
    } else if (code >> 16 === PROTOCOL_3) {
      return { ...first, raw: Buffer.from(first.raw), body: Buffer.from(first.body) }
    } else {
      client.write(errorResponse('08P01', 'unsupported frontend protocol'))
      return undefined
    }
  }
}

/**
 * Serves one client. Like Neon's proxy it asks for the password in clear itself, whatever the server would ask for:
 * clients send it unasked to save a round trip.
 */
async function serve(client: Duplex, webSocket: WebSocket, target: Target): Promise<void> {
  const opening = new Opening(client)
  const startup = await readStartup(opening, client, target)
  if (startup === undefined) return
  const user = startupParameters(startup.body).get('user')
  if (user === undefined) {
    client.write(errorResponse('28000', 'no PostgreSQL user name specified in startup packet'))
    return
  }
  client.write(message('R', int32(3)))
  const answer = await opening.next(true)
  if (answer === undefined) return
  if (answer.type !== 'p') {
    client.write(errorResponse('08P01', `expected a password message, got ${JSON.stringify(answer.type)}`))
    return
  }
  const password = answer.body.subarray(0, Math.max(answer.body.length - 1, 0)).toString('utf8')

  let server: Socket
  try {
    server = await openSocket(target)
  } catch {
    client.write(errorResponse('08006', "couldn't connect to compute node"))
    return
  }
  server.on('error', () => server.destroy())
  try {
    const { greeting, key } = await authenticate(server, startup.raw, user, password)
    client.write(greeting)
    await relay(client, webSocket, server, opening.detach(), () => key && cancel(target, key))
  } catch (error) {
    client.write(error instanceof Refused ? error.response : errorResponse('08006', (error as Error).message))
  } finally {
    server.destroy()
  }
}

/** Hands bytes to and fro until either side ends. */
function relay(
  client: Duplex,
  webSocket: WebSocket,
  server: Socket,
  early: Buffer,
  cancelQuery: () => void,
): Promise<void> {
  return new Promise((resolve) => {
    const gone = (): void => {
      // Whoever has gone reads no rows: end the work as well. Where there is none, this does nothing.
      if (!server.destroyed) cancelQuery()
      server.end()
      resolve()
    }
    server.on('close', () => {
      client.end()
      resolve()
    })
    if (early.length > 0) server.write(early)
    client.pipe(server)
    server.pipe(client)
    // The stream over a WebSocket closes only when both of its ends have ended.
    if (webSocket.readyState === webSocket.CLOSED) gone()
    else webSocket.once('close', gone)
  })
}

/** Makes the tunnel to one server. */
export function createTunnel(target: Target): Tunnel {
  const host = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const open = new Set<WebSocket>()

  return {
    upgrade(request, socket, head) {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost')
      if (pathname !== '/v2') {
        socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
        return
      }
      host.handleUpgrade(request, socket, head, (webSocket) => {
        open.add(webSocket)
        webSocket.once('close', () => open.delete(webSocket))
        const client = createWebSocketStream(webSocket)
        client.on('error', () => client.destroy())
        serve(client, webSocket, target)
          .catch((error) => client.write(errorResponse('08P01', (error as Error).message)))
          .finally(() => client.end())
      })
    },
    close() {
      for (const webSocket of open) webSocket.terminate()
      host.close()
    },
  }
}

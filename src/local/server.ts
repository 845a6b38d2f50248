import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { controlSurface } from './control.ts'
import { FaultBox, type Strike } from './faults.ts'
import { Counts, type Stats } from './stats.ts'
import { Tap } from './tap.ts'

/** What a stand-in gives to its host. */
export interface StandInApp {
  /** `neon`, `upstash`, `sentry`, `mail`. */
  readonly name: string
  /** Answers one HTTP request. */
  fetch(request: Request): Response | Promise<Response>
  /** Takes over a WebSocket upgrade. */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Called once the host has stopped. */
  close?(): Promise<void>
  /** What the stand-in counts by itself, such as Redis commands: shown with the host's own counts, reset with them. */
  readonly counters?: Map<string, number>
}

/** A stand-in that is being served. */
export interface StandIn {
  readonly name: string
  /** Base URL without a slash at the end. */
  readonly url: string
  readonly port: number
  /** The same faults as at `/__breakwater/faults`. */
  readonly faults: FaultBox
  /** The same counts as at `/__breakwater/stats`. */
  stats(): Stats
  /** Cuts every connection and stops listening. May be called more than once. */
  stop(): Promise<void>
}

/** The port a stand-in was to listen on is in use. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken'
  readonly part: string
  readonly port: number

  constructor(part: string, port: number) {
    super(`Port ${port}, wanted for ${part}, is taken by another program.`)
    this.part = part
    this.port = port
  }
}

/**
 * Serves a stand-in over HTTP on the loopback interface, with faults (`/__breakwater/faults`) and counts
 * (`/__breakwater/stats`) on its own port.
 *
 * @param options.port Default 0: any free one.
 * @param options.host A loopback address; default `127.0.0.1`.
 * @throws {PortTaken}
 */
export async function serveStandIn(
  app: StandInApp,
  options: { readonly port?: number; readonly host?: string } = {},
): Promise<StandIn> {
  const { port = 0, host = '127.0.0.1' } = options
  // Stand-ins have no secrets worth the name and take orders from whoever can reach them.
  if (!isLoopback(host)) throw new TypeError(`A stand-in listens on a loopback address only, not on ${host}`)
  const faults = new FaultBox()
  const counts = new Counts(app.counters)
  const control = controlSurface(faults, counts)

  async function answer(request: Request, incoming: IncomingMessage): Promise<Response> {
    const { pathname, search } = new URL(request.url)
    if (!isLoopback(hostname(incoming.headers.host ?? host))) {
      // A name that resolves here today and elsewhere tomorrow is how a web page reads a local server.
      return new Response('This server answers to loopback names only.\n', { status: 403 })
    }
    const controlled = await control(request, pathname)
    if (controlled) return controlled
    counts.request(request.method, pathname)
    if (!faults.any) return app.fetch(request)

    const body = faults.readsBodies && request.body ? await request.clone().text() : undefined
    const strike = faults.strike(`${request.method} ${pathname}${search}`, body)
    if (strike.latency > 0) await sleep(strike.latency)
    if (strike.end === 'hang') return new Promise(() => {})
    if (strike.end === 'drop') return cut(incoming)
    if (strike.reply) return replyOf(strike.reply)
    const response = await app.fetch(request)
    if (!strike.dropAfter) return response
    // The effect is complete only when the body has been made.
    await response.arrayBuffer()
    return cut(incoming)
  }

  const listener = getRequestListener(
    (request, env) => answer(request, (env as { incoming: IncomingMessage }).incoming),
    {
      overrideGlobalObjects: false,
      errorHandler(error) {
        complain(app.name, error)
        return new Response(`The ${app.name} stand-in failed: ${messageOf(error)}\n`, { status: 500 })
      },
    },
  )

  async function takeOver(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = request.url ?? '/'
    const [path = '/'] = url.split('?')
    if (!isLoopback(hostname(request.headers.host ?? host))) {
      refuse(socket, 403, 'This server answers to loopback names only.\n')
      return
    }
    counts.request('GET', path)
    const strike = faults.strike(`GET ${url}`)
    if (strike.latency > 0) await sleep(strike.latency)
    if (strike.end === 'hang') return
    if (strike.end === 'drop' || strike.dropAfter) socket.destroy()
    else if (strike.reply) refuse(socket, strike.reply.status, strike.reply.body, strike.reply.headers)
    else if (!app.upgrade) refuse(socket, 404, 'No WebSocket here.\n')
    else {
      counts.socket('connections')
      // Compressed frames could be neither counted nor looked into.
      delete request.headers['sec-websocket-extensions']
      app.upgrade(request, new Tap(socket, path, faults, counts), head)
    }
  }

  const server = createServer({ keepAliveTimeout: 75_000 }, listener)
  const sockets = new Set<Duplex>()
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    takeOver(request, socket, head).catch((error) => {
      complain(app.name, error)
      socket.destroy()
    })
  })

  await listen(server, app.name, port, host)
  const bound = (server.address() as AddressInfo).port
  let stopping: Promise<void> | undefined
  async function stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    for (const socket of sockets) socket.destroy()
    await closed
    await app.close?.()
  }
  return {
    name: app.name,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    faults,
    stats: () => counts.snapshot(),
    stop: () => (stopping ??= stop()),
  }
}

function listen(server: Server, part: string, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new PortTaken(part, port) : error),
    )
    server.listen(port, host, resolve)
  })
}

/** Ends the connection under a request; what the listener then does with the response reaches nobody. */
function cut(incoming: IncomingMessage): Response {
  incoming.socket.destroy()
  return new Response(null, { status: 204 })
}

function replyOf({ status, body, headers }: NonNullable<Strike['reply']>): Response {
  const bodiless = status === 204 || status === 205 || status === 304
  return new Response(bodiless ? null : body, { status, headers })
}

function refuse(
  socket: Duplex,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const fields = { ...headers, connection: 'close', 'content-length': String(Buffer.byteLength(body)) }
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} Refused\r\n${head.join('')}\r\n${body}`)
}

function hostname(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
  )
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function complain(name: string, error: unknown): void {
  process.stderr.write(
    `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
}

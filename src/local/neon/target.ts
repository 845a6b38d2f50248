import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** The server behind the stand-in: only where it is and whether to speak TLS to it, never who asks. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly tls: ConnectionOptions | undefined
}

/**
 * Reads where a database URL points to.
 * @throws TypeError when it is no Postgres URL
 */
export function targetOf(url: string): Target {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new TypeError(
      'The Neon stand-in wants the URL of a Postgres server: postgresql://user:password@host/database',
    )
  }
  const host = decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, '')
  const mode = parsed.searchParams.get('sslmode') ?? 'disable'
  const plain = mode === 'disable' || mode === 'allow' || mode === 'prefer'
  return {
    host,
    port: parsed.port === '' ? 5432 : Number(parsed.port),
    tls: plain ? undefined : { servername: host, rejectUnauthorized: mode !== 'no-verify' },
  }
}

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

function connected(socket: Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => {
      socket.off('error', reject)
      resolve()
    })
    socket.once('error', reject)
  })
}

/** Opens a socket to the server, encrypted when the URL asks for it. */
export async function openSocket(target: Target): Promise<Socket> {
  const plain = connectTcp({ host: target.host, port: target.port, noDelay: true })
  await connected(plain, 'connect')
  if (target.tls === undefined) return plain
  plain.write(SSL_REQUEST)
  const answer = await new Promise<Buffer>((resolve, reject) => {
    plain.once('data', resolve)
    plain.once('error', reject)
    plain.once('close', () => reject(new Error('the server closed the connection')))
  })
  if (answer.toString('latin1') !== 'S') {
    plain.destroy()
    throw new Error('the server does not speak TLS')
  }
  const secure = connectTls({ ...target.tls, socket: plain })
  await connected(secure, 'secureConnect')
  return secure
}

/** Asks the server to cancel what a connection is doing. Fails silently: there may be nothing to cancel any more. */
export async function cancel(target: Target, key: Buffer): Promise<void> {
  const message = Buffer.alloc(8 + key.length)
  message.writeInt32BE(message.length, 0)
  message.writeInt32BE(80877102, 4)
  key.copy(message, 8)
  try {
    const socket = await openSocket(target)
    socket.on('error', () => {})
    socket.end(message)
    socket.resume()
  } catch {
    // The server is gone, and with it the query.
  }
}

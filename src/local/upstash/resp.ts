import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { CommandError, integerReply, type Reply, Status } from './reply.ts'

interface Waiting {
  readonly count: number
  readonly replies: Reply[]
  resolve(replies: Reply[]): void
  reject(error: Error): void
}

/** Reads RESP2 from a buffer. Throws {@link Incomplete} when more bytes are needed. */
class Reader {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  read(): Reply {
    const end = this.#bytes.indexOf('\r\n', this.at, 'latin1')
    if (end < 0) throw new Incomplete()
    const kind = this.#bytes[this.at]
    const line = this.#bytes.toString('latin1', this.at + 1, end)
    this.at = end + 2
    switch (kind) {
      case 0x2b: // +
        return new Status(line)
      case 0x2d: // -
        return new CommandError(line)
      case 0x3a: // :
        return integerReply(BigInt(line))
      case 0x24: // $
        return this.#bulk(Number(line))
      case 0x2a: // *
        return this.#array(Number(line))
      default:
        throw new Error('The Redis server sent something that is not RESP2')
    }
  }

  #bulk(length: number): Reply {
    if (length < 0) return null
    if (this.#bytes.length < this.at + length + 2) throw new Incomplete()
    const text = this.#bytes.toString('latin1', this.at, this.at + length)
    this.at += length + 2
    return text
  }

  #array(length: number): Reply {
    if (length < 0) return null
    const items: Reply[] = []
    for (let i = 0; i < length; i++) items.push(this.read())
    return items
  }
}

class Incomplete extends Error {}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}

/** One connection to a Redis server, opened when first used and again after it broke. Speaks RESP2. */
export class RespClient {
  readonly #url: URL
  #socket: Socket | undefined
  #pending: Buffer = Buffer.alloc(0)
  readonly #waiting: Waiting[] = []

  constructor(url: string) {
    // The URL itself is not shown: it may hold a password.
    if (!URL.canParse(url) || !/^rediss?:\/\//.test(url)) {
      throw new TypeError('The URL of the Redis server must be redis://… or rediss://…')
    }
    this.#url = new URL(url)
  }

  /** Sends commands in one write, so that nothing comes between them; answers in order. */
  send(commands: readonly (readonly string[])[]): Promise<Reply[]> {
    const socket = this.#open()
    return this.#write(socket, commands)
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    if (!socket) return
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
      socket.destroy()
    })
  }

  #write(socket: Socket, commands: readonly (readonly string[])[]): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count: commands.length, replies: [], resolve, reject })
      socket.write(commands.map(encode).join(''), 'latin1')
    })
  }

  #open(): Socket {
    if (this.#socket) return this.#socket
    const { protocol, hostname, port, username, password, pathname } = this.#url
    const address = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 6379 : Number(port) }
    const socket =
      protocol === 'rediss:' ? connectTls({ ...address, servername: hostname }) : connectTcp(address)
    socket.setNoDelay(true)
    this.#socket = socket
    this.#pending = Buffer.alloc(0)
    socket.on('data', (chunk) => this.#receive(socket, chunk))
    socket.on('error', (error) => this.#fail(socket, error))
    socket.on('close', () => this.#fail(socket, new Error('The connection to the Redis server was closed')))
    if (password !== '') {
      const user = username === '' ? [] : [decodeURIComponent(username)]
      this.#greet(socket, ['AUTH', ...user, decodeURIComponent(password)])
    }
    if (pathname.length > 1) this.#greet(socket, ['SELECT', pathname.slice(1)])
    return socket
  }

  #greet(socket: Socket, words: string[]): void {
    this.#write(socket, [words]).then(
      ([reply]) => {
        if (reply instanceof CommandError) socket.destroy(new Error(`The Redis server refused ${words[0]}`))
      },
      () => undefined,
    )
  }

  #receive(socket: Socket, chunk: Buffer): void {
    if (socket !== this.#socket) return
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const reader = new Reader(this.#pending)
    let done = 0
    try {
      while (this.#waiting[0] && reader.at < this.#pending.length) {
        const reply = reader.read()
        done = reader.at
        const [first] = this.#waiting
        first.replies.push(reply)
        if (first.replies.length === first.count) {
          this.#waiting.shift()
          first.resolve(first.replies)
        }
      }
    } catch (error) {
      if (!(error instanceof Incomplete)) {
        socket.destroy(error as Error)
        return
      }
    }
    this.#pending = this.#pending.subarray(done)
  }

  #fail(socket: Socket, error: Error): void {
    if (this.#socket === socket) this.#socket = undefined
    else if (this.#socket) return
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error)
  }
}

import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { Scram } from './scram.ts'
import { int32, type Message, MessageReader, message } from './wire.ts'

/** A connection to the server that has let us in. */
export interface Authenticated {
  /** AuthenticationOk to ReadyForQuery, and whatever followed, as the server sent it. */
  readonly greeting: Buffer
  /** Process id and secret, for a CancelRequest. */
  readonly key: Buffer | undefined
}

/** The server's own refusal, as it sent it. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly response: Buffer

  constructor(response: Buffer) {
    super('the server refused the connection')
    this.response = response
  }
}

function md5(text: string | Buffer): string {
  return createHash('md5').update(text).digest('hex')
}

/** Speaks the client's part of authentication with the server. */
class Login {
  readonly #user: string
  readonly #password: string
  readonly #scram: Scram

  constructor(user: string, password: string) {
    this.#user = user
    this.#password = password
    this.#scram = new Scram(password)
  }

  /** The answer to an authentication request; undefined when none is due. */
  answer(body: Buffer): Buffer | undefined {
    const kind = body.readInt32BE(0)
    const data = body.subarray(4)
    switch (kind) {
      case 0:
        return undefined
      case 3:
        return message('p', this.#password, '\0')
      case 5: {
        const inner = md5(this.#password + this.#user)
        return message('p', 'md5', md5(Buffer.concat([Buffer.from(inner), data])), '\0')
      }
      case 10: {
        const first = Buffer.from(this.#scram.first())
        return message('p', 'SCRAM-SHA-256\0', int32(first.length), first)
      }
      case 11:
        return message('p', this.#scram.answer(data.toString('utf8')))
      case 12:
        this.#scram.verify(data.toString('utf8'))
        return undefined
      default:
        throw new Error(`the server asks for a kind of authentication that is not spoken here (${kind})`)
    }
  }
}

/**
 * Opens a session on a socket: sends the client's own start-up message, answers the server's demands with the
 * password, and reads on until the server is ready.
 *
 * @throws Refused with the server's own words
 */
export function authenticate(
  socket: Socket,
  startup: Buffer,
  user: string,
  password: string,
): Promise<Authenticated> {
  const reader = new MessageReader()
  const login = new Login(user, password)
  const greeting: Buffer[] = []
  let key: Buffer | undefined
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.off('data', take)
      socket.off('error', fail)
      socket.off('close', closed)
    }
    const fail = (error: unknown): void => {
      done()
      reject(error)
    }
    const closed = (): void => fail(new Error('the server closed the connection'))
    /** True when the server is ready. */
    const handle = ({ type, body, raw }: Message): boolean => {
      if (type === 'E') throw new Refused(Buffer.from(raw))
      if (type === 'R') {
        const answer = login.answer(body)
        if (answer !== undefined) socket.write(answer)
        if (body.readInt32BE(0) !== 0) return false
      }
      if (type === 'K') key = Buffer.from(body)
      greeting.push(Buffer.from(raw))
      return type === 'Z'
    }
    const take = (bytes: Buffer): void => {
      try {
        reader.push(bytes)
        for (let next = reader.next(true); next !== undefined; next = reader.next(true)) {
          if (!handle(next)) continue
          socket.pause()
          done()
          resolve({ greeting: Buffer.concat([...greeting, reader.rest()]), key })
          return
        }
      } catch (error) {
        fail(error)
      }
    }
    socket.on('data', take)
    socket.on('error', fail)
    socket.on('close', closed)
    socket.write(startup)
  })
}

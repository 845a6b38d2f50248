import { Duplex } from 'node:stream'
import type { FaultBox } from './faults.ts'
import { FrameReader } from './frames.ts'
import type { Counts } from './stats.ts'

/**
 * Stands between a client's socket and the stand-in that took it over as a WebSocket: counts messages and
 * shows the faults that were asked for, message by message. Bytes are otherwise handed on as they come.
 */
export class Tap extends Duplex {
  readonly #socket: Duplex
  readonly #faults: FaultBox
  readonly #counts: Counts
  readonly #target: string
  readonly #in = new FrameReader()
  readonly #out = new FrameReader()
  #upgraded = false
  #clientSpoke = false
  #mute = false
  #dropOnReply = false
  /** What arrives is handed on in order, however long each part was made to wait. */
  #ready: Promise<void> = Promise.resolve()
  #releaseAt = 0

  constructor(socket: Duplex, path: string, faults: FaultBox, counts: Counts) {
    super()
    this.#socket = socket
    this.#target = `WS ${path}`
    this.#faults = faults
    this.#counts = counts
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk))
    socket.on('end', () => this.#inOrder(() => this.push(null)))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  #inOrder(step: () => void, latency = 0): void {
    // Latency is a property of the line, not of its capacity: messages sent together arrive together.
    this.#releaseAt = Math.max(this.#releaseAt, Date.now() + latency)
    const at = this.#releaseAt
    this.#ready = this.#ready.then(async () => {
      const wait = at - Date.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      if (!this.destroyed) step()
    })
  }

  #arrived(chunk: Buffer): void {
    let latency = 0
    let drop = false
    let dropOnReply = false
    for (const { payload } of this.#in.read(chunk)) {
      this.#counts.socket('received')
      if (!this.#clientSpoke) this.#counts.socket('roundTrips')
      this.#clientSpoke = true
      if (!this.#faults.any) continue
      const strike = this.#faults.strike(
        this.#target,
        this.#faults.readsBodies ? payload.toString('latin1') : undefined,
      )
      latency = Math.max(latency, strike.latency)
      if (strike.end === 'hang') this.#mute = true
      if (strike.end === 'drop') drop = true
      if (strike.dropAfter) dropOnReply = true
    }
    if (drop) this.#inOrder(() => this.#cut(), latency)
    if (drop || this.#mute) return
    this.#inOrder(() => {
      if (dropOnReply) this.#dropOnReply = true
      if (!this.push(chunk)) this.#socket.pause()
    }, latency)
  }

  #cut(): void {
    this.#socket.destroy()
    this.destroy()
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // The first thing the stand-in writes is the answer to the upgrade, which is HTTP and not yet frames.
    if (this.#upgraded) {
      const messages = this.#out.read(chunk).length
      for (let i = 0; i < messages; i++) this.#counts.socket('sent')
      if (messages > 0) this.#clientSpoke = false
    }
    this.#upgraded = true
    if (this.#dropOnReply) {
      done()
      this.#cut()
      return
    }
    if (this.#mute) done()
    else this.#socket.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}

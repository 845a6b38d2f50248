import type { JobMessage, JobQueue, QueueBatch, QueueMessage } from 'breakwater/jobs'
import type { World } from './world.ts'

interface Held {
  readonly body: unknown
  due: number
  attempts: number
}

/** What a queue accepts. */
function checkDelay(seconds: number): void {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 86_400) throw new Error(`No delay: ${seconds}`)
}

/**
 * A queue as it is documented: at least once, in any order, with delays. In bad times it also loses what it took,
 * doubles it, refuses, or takes it without saying so.
 */
export class SimQueue implements JobQueue {
  readonly #world: World
  readonly held: Held[] = []
  readonly dead: unknown[] = []
  readonly maxRetries = 6

  constructor(world: World) {
    this.#world = world
  }

  #accept(body: unknown, delaySeconds = 0): void {
    const { random, now, chaos } = this.#world
    if (chaos && random.chance(0.08)) return
    const copies = chaos && random.chance(0.1) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const late = chaos ? random.integer(random.chance(0.05) ? 200_000 : 2000) : 0
      this.held.push({
        body: JSON.parse(JSON.stringify(body)),
        due: now + delaySeconds * 1000 + late,
        attempts: 1,
      })
    }
  }

  async send(body: JobMessage, { delaySeconds }: { delaySeconds?: number } = {}): Promise<void> {
    await this.sendBatch([{ body, ...(delaySeconds !== undefined && { delaySeconds }) }])
  }

  async sendBatch(messages: Iterable<{ body: JobMessage; delaySeconds?: number }>): Promise<void> {
    const all = [...messages]
    if (all.length === 0 || all.length > 100) throw new Error('A batch of a queue has 1 to 100 messages')
    for (const { delaySeconds = 0 } of all) checkDelay(delaySeconds)
    await this.#world.outside('queue', 'send', async () => {
      for (const { body, delaySeconds } of all) this.#accept(body, delaySeconds)
    })
  }

  /** When the next message may be delivered. */
  get next(): number | undefined {
    return this.held.length > 0 ? Math.min(...this.held.map(({ due }) => due)) : undefined
  }

  /** Hands some due messages to a new worker. */
  deliver(consume: (batch: QueueBatch) => Promise<unknown>): void {
    const world = this.#world
    const due = this.held.filter((message) => message.due <= world.now)
    if (due.length === 0) return
    const batch: Held[] = []
    for (let n = 1 + world.random.integer(10); n > 0 && due.length > 0; n--) {
      batch.push(due.splice(world.random.integer(due.length), 1)[0] as Held)
    }
    for (const message of batch) this.held.splice(this.held.indexOf(message), 1)
    const answered = new Set<Held>()
    const again = (message: Held, seconds: number): void => {
      if (answered.has(message)) return
      answered.add(message)
      message.attempts++
      if (message.attempts > this.maxRetries + 1) this.dead.push(message.body)
      else this.held.push({ ...message, due: world.now + seconds * 1000 })
    }
    const messages = batch.map(
      (message, i): QueueMessage => ({
        id: `m${i}`,
        body: message.body,
        attempts: message.attempts,
        ack: () => void answered.add(message),
        retry: ({ delaySeconds = 0 } = {}) => {
          checkDelay(delaySeconds)
          again(message, delaySeconds)
        },
      }),
    )
    const process = world.spawn('consumer', async () => {
      await consume({ queue: 'jobs', messages })
      if (answered.size !== batch.length) throw new Error('a message was neither acknowledged nor retried')
    })
    // What it had not answered comes again; what it had, may too.
    process.onDeath.push(() => {
      for (const message of batch)
        if (!answered.has(message) || world.random.chance(0.3)) {
          answered.delete(message)
          again(message, world.random.integer(30))
        }
    })
  }
}

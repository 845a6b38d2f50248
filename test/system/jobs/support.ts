import type { JobMessage, JobQueue, QueueBatch, QueueMessage } from 'breakwater/jobs'

/** What became of a message. */
export interface Fate {
  acked: number
  retried: { delaySeconds?: number }[]
}

/** A queue that keeps what it is sent, for a test to deliver as it likes: late, doubled, out of order or never. */
export class TestQueue implements JobQueue {
  readonly sent: { body: JobMessage; delaySeconds?: number }[] = []
  broken = false

  async send(body: JobMessage, options: { delaySeconds?: number } = {}): Promise<void> {
    if (this.broken) throw new Error('queue is down')
    this.sent.push({ body, ...options })
  }

  async sendBatch(messages: Iterable<{ body: JobMessage; delaySeconds?: number }>): Promise<void> {
    for (const { body, ...rest } of messages) await this.send(body, rest)
  }

  /** Takes everything that was sent, as a batch. */
  take(): { batch: QueueBatch; fates: Fate[] } {
    return batchOf(this.sent.splice(0).map(({ body }) => body))
  }
}

/** A batch of these bodies. */
export function batchOf(bodies: unknown[], attempts = 1): { batch: QueueBatch; fates: Fate[] } {
  const fates: Fate[] = []
  const messages = bodies.map((body, i): QueueMessage => {
    const fate: Fate = { acked: 0, retried: [] }
    fates.push(fate)
    return {
      id: `m${i}`,
      // As a queue does it: through a serialisation.
      body: JSON.parse(JSON.stringify(body ?? null)),
      attempts,
      ack: () => {
        fate.acked++
      },
      retry: (options = {}) => {
        fate.retried.push(options)
      },
    }
  })
  return { batch: { queue: 'jobs', messages }, fates }
}

import type { Notice } from './evaluate.ts'

/** A way to people. */
export interface Channel {
  readonly name: string
  /** Resolves when it was accepted; rejects when not, and is then tried again. */
  send(notice: Notice, options: { readonly signal: AbortSignal; readonly service: string }): Promise<void>
}

/** How notices are delivered. */
export interface Delivery {
  readonly service: string
  readonly channels: readonly Channel[]
  /** Told when one of the others could not be. */
  readonly fallback: readonly Channel[]
  /** Pauses between tries, in milliseconds. */
  readonly pauses: readonly number[]
  /** How long one try may take, in milliseconds. */
  readonly timeout: number
  readonly sleep: (ms: number) => Promise<unknown>
}

async function told(channel: Channel, notice: Notice, delivery: Delivery): Promise<boolean> {
  for (let attempt = 0; ; attempt++) {
    try {
      const signal = AbortSignal.timeout(delivery.timeout)
      await channel.send(notice, { signal, service: delivery.service })
      return true
    } catch {
      const pause = delivery.pauses[attempt]
      if (pause === undefined) return false
      await delivery.sleep(pause)
    }
  }
}

/**
 * Tells every channel. Each is tried again after a pause; where one cannot be reached after all, the fallback is told too,
 * once.
 * @returns the names of the channels that were not reached, and whether anybody was.
 */
export async function deliver(
  notice: Notice,
  delivery: Delivery,
): Promise<{ failed: string[]; reached: boolean }> {
  const { channels, fallback } = delivery
  const outcomes = await Promise.all(channels.map((channel) => told(channel, notice, delivery)))
  const failed = channels.filter((_, i) => !outcomes[i]).map(({ name }) => name)
  let reached = outcomes.includes(true)
  if (failed.length > 0 || channels.length === 0) {
    for (const channel of fallback) {
      if (await told(channel, notice, delivery)) reached = true
      else failed.push(channel.name)
    }
  }
  return { failed, reached }
}

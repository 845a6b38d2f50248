import { setTimeout as sleep } from 'node:timers/promises'
import type { Local } from '../../src/local/index.ts'

/** What one flow asked of the outside. */
export interface Trips {
  readonly redis: number
  readonly postgres: number
}

interface Stats {
  readonly total: number
  readonly webSockets: { readonly connections: number; readonly roundTrips: number }
}

/** Counts and slows down what the stand-ins of a local stack are asked. */
export class StandIns {
  readonly #redis: string
  readonly #postgres: string

  constructor(local: Pick<Local, 'upstash' | 'neon'>) {
    this.#redis = local.upstash
    this.#postgres = local.neon
  }

  /** Round trips since the last call. On a WebSocket: the opening of it, and each time the client spoke and waited. */
  async trips(): Promise<Trips> {
    const [redis, postgres] = await Promise.all([take(this.#redis), take(this.#postgres)])
    return {
      redis: redis.total,
      // The upgrade is among the HTTP requests.
      postgres: postgres.total + postgres.webSockets.roundTrips,
    }
  }

  /** Waits until nothing has been asked for some milliseconds: jobs of earlier flows are done. */
  async quiet(milliseconds: number): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      await sleep(milliseconds)
      const { redis, postgres } = await this.trips()
      if (redis + postgres === 0) return
    }
    throw new Error('The worker does not come to rest')
  }

  /** Adds milliseconds to every answer. */
  async slow(latency: { readonly redis: number; readonly postgres: number }): Promise<void> {
    await Promise.all([
      put(this.#redis, [{ latency: latency.redis }]),
      put(this.#postgres, [{ latency: latency.postgres }]),
    ])
  }

  /** Answers at once again. */
  async quick(): Promise<void> {
    await Promise.all([put(this.#redis, []), put(this.#postgres, [])])
  }
}

async function take(url: string): Promise<Stats> {
  return (await fetch(`${url}/__breakwater/stats`, { method: 'DELETE' })).json() as Promise<Stats>
}

async function put(url: string, faults: readonly unknown[]): Promise<void> {
  const reply = await fetch(`${url}/__breakwater/faults`, { method: 'PUT', body: JSON.stringify(faults) })
  if (!reply.ok) throw new Error(`Faults were refused: ${await reply.text()}`)
}

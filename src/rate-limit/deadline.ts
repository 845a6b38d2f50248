/** The store did not answer in time. */
class StoreTimeout extends Error {
  override readonly name: string = 'StoreTimeout'
}

/** `promise`, or a {@link StoreTimeout} after `ms`. The loser's rejection goes nowhere. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let settled = false
  const settle = () => {
    settled = true
  }
  promise.then(settle, settle)
  // A store in memory has answered by then, and needs no timer.
  await undefined
  if (settled) return promise
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreTimeout(`No answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

const TRIES = 3
const REST = 1000

/**
 * Stops asking a store that keeps failing: after three failures in a row nobody asks for a second, then one does.
 * Without it every request of an outage would wait out the whole deadline.
 */
export class Breaker {
  #failures = 0
  #openUntil = 0

  /** Whether to ask. When the rest is over, lets one through and holds the others back for another rest. */
  allows(now: number): boolean {
    if (this.#failures < TRIES) return true
    if (now < this.#openUntil) return false
    this.#openUntil = now + REST
    return true
  }

  succeeded(): void {
    this.#failures = 0
  }

  failed(now: number): void {
    this.#failures += 1
    if (this.#failures >= TRIES) this.#openUntil = now + REST
  }
}

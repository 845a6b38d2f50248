import { DurableObject } from 'cloudflare:workers'
import { RateLimitObject } from '../../src/rate-limit/cloudflare/index.ts'

/** The worker under which tests run inside workerd. Tests import what they exercise directly. */
export default {
  fetch(): Response {
    return new Response('breakwater test harness')
  },
} satisfies ExportedHandler

/** A Durable Object that does nothing: something for a binding to point to. */
export class PlainObject extends DurableObject {}

/** The rate limiter's object, on a clock that tests can put forward. */
export class ClockedRateLimitObject extends RateLimitObject {
  #ahead = 0

  protected override now(): number {
    return Date.now() + this.#ahead
  }

  advance(ms: number): void {
    this.#ahead += ms
  }
}

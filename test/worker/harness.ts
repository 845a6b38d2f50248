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

/** The rate limiter's object, on a clock that stands still from when tests first put it forward. */
export class ClockedRateLimitObject extends RateLimitObject {
  #at: number | undefined

  protected override now(): number {
    return this.#at ?? Date.now()
  }

  advance(ms: number): void {
    this.#at = this.now() + ms
  }
}

import { DurableObject } from 'cloudflare:workers'

/** The worker under which tests run inside workerd. Tests import what they exercise directly. */
export default {
  fetch(): Response {
    return new Response('breakwater test harness')
  },
} satisfies ExportedHandler

/** A Durable Object that does nothing: something for a binding to point to. */
export class PlainObject extends DurableObject {}

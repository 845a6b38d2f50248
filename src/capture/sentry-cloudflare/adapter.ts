import { CloudflareClient, createTransport, linkedErrorsIntegration } from '@sentry/cloudflare'
import { toHex } from '../../core/bytes.ts'
import { randomBytes } from '../../core/index.ts'
import type { EventClient, RawEvent } from '../client.ts'
import { readFrames } from '../frames.ts'

/** How many causes of an error are followed. */
const CAUSES = 5

/**
 * Reads errors with `@sentry/cloudflare` in the place of toucan-js:
 *
 * ```ts
 * createCapture({ dsn, client: sentryCloudflare() })
 * ```
 *
 * The client is used for what it knows of errors. It is never made current, so it patches and observes nothing.
 */
export function sentryCloudflare(): EventClient {
  const linked = linkedErrorsIntegration({ limit: CAUSES })
  let made: CloudflareClient | undefined
  const client = (): CloudflareClient => {
    made ??= new CloudflareClient({
      stackParser: readFrames,
      integrations: [],
      sendClientReports: false,
      transport: (options) => createTransport(options, async () => ({})),
    })
    return made
  }
  return {
    name: '@sentry/cloudflare',
    build(error) {
      const hint = { originalException: error, event_id: toHex(randomBytes(16)) }
      let event: Parameters<NonNullable<typeof linked.preprocessEvent>>[0] | undefined
      // Sentry's promises of this kind are settled at once.
      client()
        .eventFromException(error, hint)
        .then((made) => {
          event = made
        })
      if (event === undefined) return undefined
      linked.preprocessEvent?.(event, hint, client())
      return event as unknown as RawEvent
    },
  }
}

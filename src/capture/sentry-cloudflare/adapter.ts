import { linkedErrorsIntegration } from '@sentry/cloudflare'
import { toHex } from '../../core/bytes.ts'
import { randomBytes } from '../../core/index.ts'
import type { EventClient, RawEvent } from '../client.ts'
import { readFrames } from '../frames.ts'

/** How many errors of one chain are told: the one that was caught, its causes, and those an AggregateError holds. */
const CHAIN = 6

/**
 * Reads errors with `@sentry/cloudflare` in the place of toucan-js:
 *
 * ```ts
 * createCapture({ dsn, client: sentryCloudflare() })
 * ```
 *
 * It is used for what it knows of errors, and only that part is bundled; nothing is patched and nothing observed.
 */
export function sentryCloudflare(): EventClient {
  const { preprocessEvent } = linkedErrorsIntegration({ limit: CHAIN })
  type Given = Parameters<NonNullable<typeof preprocessEvent>>
  const client = { getOptions: () => ({ stackParser: readFrames }) } as unknown as Given[2]
  return {
    name: '@sentry/cloudflare',
    build(error) {
      // It reads the causes of an error that was read before: one stands around the chain, and is taken off again.
      const values: NonNullable<RawEvent['exception']>['values'] = [{}]
      const event = { exception: { values } }
      const around = new Error('', { cause: error })
      preprocessEvent?.(event as unknown as Given[0], { originalException: around }, client)
      event.exception.values.pop()
      return { event_id: toHex(randomBytes(16)), ...(event as RawEvent) }
    },
  }
}

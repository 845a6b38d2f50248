import { linkedErrorsIntegration } from 'toucan-js'
import { toHex } from '../core/bytes.ts'
import { randomBytes } from '../core/index.ts'
import type { EventClient, ExceptionValue, RawEvent } from './client.ts'
import { readFrames } from './frames.ts'

/** How many errors of one chain are told: the one that was caught, and its causes. */
const CHAIN = 5
/** How many of those that an AggregateError holds. */
const HELD = 3

/** Reads errors and their causes with toucan-js. Of its parts only that one is bundled. The default. */
export function toucan(): EventClient {
  // One more, for the error that stands around the chain.
  const { processEvent } = linkedErrorsIntegration({ limit: CHAIN + 1 })
  type Given = Parameters<NonNullable<typeof processEvent>>
  const client = { getOptions: () => ({ stackParser: readFrames }) } as unknown as Given[2]
  const chainOf = (error: Error): ExceptionValue[] => {
    const event = { exception: { values: [] } } as unknown as Given[0]
    // It reads the causes of what it is given: here the error itself is the first of them.
    const built = processEvent?.(event, { originalException: new Error('', { cause: error }) }, client)
    return (built as RawEvent | undefined)?.exception?.values ?? []
  }
  return {
    name: 'toucan-js',
    build(error) {
      const { errors } = error as { readonly errors?: unknown }
      const held = Array.isArray(errors) ? errors.filter((one) => one instanceof Error).slice(0, HELD) : []
      const values = [...held.flatMap(chainOf), ...chainOf(error)]
      return { event_id: toHex(randomBytes(16)), exception: { values } }
    },
  }
}

import { linkedErrorsIntegration, Toucan } from 'toucan-js'
import type { EventClient, RawEvent } from './client.ts'

/** Reads errors with toucan-js, which knows stacks as Workers write them. The default. */
export function toucan(dsn: string): EventClient {
  return {
    name: 'toucan-js',
    build(error) {
      let built: RawEvent | undefined
      const client = new Toucan({
        dsn,
        defaultIntegrations: [linkedErrorsIntegration()],
        sendClientReports: false,
        beforeSend(event) {
          built = event as unknown as RawEvent
          return null
        },
      })
      client.captureException(error)
      return built
    },
  }
}

import { linkedErrorsIntegration, Toucan } from 'toucan-js'
import { isBreakwaterError } from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'
import type { RawEvent } from './event.ts'

/** Turns what was thrown into an event: its chain of causes, their stacks as frames. */
export type EventBuilder = (thrown: unknown) => RawEvent | undefined

/** An error for what is none, told by its kind; its members may be anything, so they are not told. */
function errorOf(thrown: unknown): Error {
  // Core wraps what is thrown and is no error; the wrapper tells nothing.
  if (isBreakwaterError(thrown) && thrown.code === 'internal' && thrown.cause !== undefined) {
    return thrown.cause instanceof Error ? thrown : errorOf(thrown.cause)
  }
  if (thrown instanceof Error) return thrown
  if (typeof thrown === 'object' && thrown !== null) {
    // An error of another realm, or of a library that does not extend Error.
    const { name, message, stack } = thrown as Record<string, unknown>
    const error = new Error(typeof message === 'string' ? message : 'An object that is no error was thrown')
    error.name =
      typeof name === 'string' ? name : ((thrown.constructor?.name as string | undefined) ?? 'Object')
    if (typeof stack === 'string') error.stack = stack
    else delete error.stack
    return error
  }
  const error = new Error(typeof thrown === 'string' ? redactText(thrown) : String(thrown))
  error.name = `Thrown ${typeof thrown}`
  // Its stack would be that of this line.
  delete error.stack
  return error
}

/**
 * Builds events with toucan-js: it knows stacks as Workers write them, and chains of causes. It gathers nothing about the
 * request and sends nothing; both are done here, where more is known of what may be told.
 */
export function toucanBuilder(dsn: string): EventBuilder {
  return (thrown) => {
    let built: RawEvent | undefined
    const toucan = new Toucan({
      dsn,
      defaultIntegrations: [linkedErrorsIntegration()],
      sendClientReports: false,
      beforeSend(event) {
        built = event as unknown as RawEvent
        return null
      },
    })
    toucan.captureException(errorOf(thrown))
    return built
  }
}

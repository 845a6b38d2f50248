import { asError, type ReportHint } from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'

/** Where there is no tracker, errors are at least in the log. */
export function complainOf(thrown: unknown, hint: ReportHint): void {
  try {
    const { name, message } = asError(thrown)
    const error = redactText(`${name}: ${message}`)
    const level = hint.level ?? 'error'
    console.error(JSON.stringify({ level, mechanism: hint.mechanism, error, ...hint.tags }))
  } catch {}
}

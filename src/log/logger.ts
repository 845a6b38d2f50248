import { redactText } from '../core/redact-text.ts'
import { currentWork, type Work } from '../core/work.ts'
import { isLoud, type LogFields, type LogLevel, member, safeFields, timeText, toLine } from './line.ts'
import { currentSettings } from './settings.ts'

/** Writes structured lines that carry the id and the trace of the current unit of work. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger whose lines all carry these fields. */
  with(fields: LogFields): Logger
}

/** The members that name a unit of work. */
export function workMembers(work: Work | undefined): string {
  if (work === undefined) return ''
  const { traceId, spanId } = work.trace
  return (
    member('requestId', work.id) +
    member('traceId', traceId) +
    member('spanId', spanId) +
    member('userId', work.facts.get('userId'))
  )
}

/**
 * Writes one line under the settings of the current work. Never throws: a log must not break what it watches.
 * @param work Default: the current one.
 */
export function writeLine(
  level: LogLevel,
  message: string,
  fields?: LogFields,
  work: Work | undefined = currentWork(),
): void {
  try {
    const settings = currentSettings(work)
    if (!isLoud(level, settings.level)) return
    settings.write(
      toLine(
        member('time', timeText(Date.now())) +
          member('level', level) +
          member('message', redactText(String(message), settings)) +
          workMembers(work),
        safeFields(fields, settings.keys, settings.keepAddresses),
      ),
      level,
    )
  } catch {}
}

function make(own: LogFields | undefined): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      writeLine(level, message, own && fields ? { ...own, ...fields } : (own ?? fields))
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => make({ ...own, ...fields }),
  }
}

/**
 * The logger, usable from anywhere: it finds the request it runs in by itself. Fields are redacted by key and by shape.
 *
 * @example
 * ```ts
 * logger.info('invoice sent', { invoiceId, total })
 * logger.error('payment failed', { error })
 * ```
 */
export const logger: Logger = make(undefined)

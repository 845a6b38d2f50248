import { redactText } from '../core/redact-text.ts'
import { currentWork, type Work } from '../core/work.ts'
import { isLoud, type LogFields, type LogLevel, safeFields, toLine } from './line.ts'
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

/** The fields that name a unit of work. */
export function workFields(work: Work | undefined): Record<string, unknown> {
  if (work === undefined) return {}
  const userId = work.facts.get('userId')
  return {
    requestId: work.id,
    traceId: work.trace.traceId,
    spanId: work.trace.spanId,
    ...(userId !== undefined && { userId }),
  }
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
      toLine({
        ...safeFields(fields, settings.keys, settings.keepAddresses),
        time: new Date().toISOString(),
        level,
        message: redactText(String(message), settings),
        ...workFields(work),
      }),
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

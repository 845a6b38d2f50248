/**
 * Structured logs: one line a request, a logger for everywhere else, and the redaction both go through.
 * @module
 */
export { isSensitiveKey, type RedactOptions, redact, redactError } from '../core/redact.ts'
export { redactText } from '../core/redact-text.ts'
export type { LogFields, LogLevel, LogWriter } from './line.ts'
export { type Logger, logger } from './logger.ts'
export { type LogOptions, log } from './middleware.ts'

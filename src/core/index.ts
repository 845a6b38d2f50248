/**
 * What every capability stands on: errors, ids, time, crypto, the unit of work, and the interfaces by which
 * capabilities reach each other.
 * @module
 */
export { fromBase64Url, toBase64Url, toBytes, toHex } from './bytes.ts'
export { hmac, sha256, timingSafeEqual, verifyHmac } from './crypto.ts'
export {
  BreakwaterError,
  type BreakwaterErrorOptions,
  type ErrorCode,
  type FieldFault,
  isBreakwaterError,
} from './errors.ts'
export { randomBytes, spanId, traceId, uuidv7 } from './ids.ts'
export type {
  Enqueue,
  EnqueueOptions,
  LimitDecision,
  Limiter,
  LimitRequest,
  Mailer,
  MailMessage,
  Reporter,
  ReportHint,
  Severity,
} from './ports.ts'
export { type Duration, milliseconds } from './time.ts'
export { currentWork, runWork, type Span, span, type TraceContext, type Work } from './work.ts'

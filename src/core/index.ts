/**
 * What every capability stands on: errors, ids, time, the unit of work, and the interfaces by which capabilities
 * reach each other. What only the capabilities need of it, bytes and crypto among it, is not part of this face.
 * @module
 */
export {
  asError,
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
  PreparedWork,
  Reporter,
  ReportHint,
  Severity,
} from './ports.ts'
export {
  isNews,
  PROBLEM_TYPE_BASE,
  type Problem,
  type ProblemAudience,
  type ProblemOptions,
  problemResponse,
  requestUrn,
  statusOf,
  toProblem,
} from './problem.ts'
export { type ProblemsOptions, problems, renderNotFound, renderProblem } from './problems.ts'
export {
  type RequestContextEnv,
  type RequestContextOptions,
  requestContext,
  workForRequest,
} from './request-context.ts'
export { type FetchHandler, type ShieldOptions, shield } from './shield.ts'
export { type Duration, milliseconds } from './time.ts'
export { traceHeaders } from './trace.ts'
export { type WaitUntil, type WorkOptions, workFor } from './unit-of-work.ts'
export {
  currentWork,
  type FailureMechanism,
  runWork,
  type Span,
  span,
  type TraceContext,
  type Work,
  type WorkObserver,
} from './work.ts'

/**
 * Circuit breakers: a dependency that keeps failing is left alone for a while, and its callers are told at once.
 * @module
 */
export {
  type Breaker,
  type BreakerOptions,
  type BreakerReport,
  type BreakerState,
  breaker,
  breakerStates,
  resetBreakers,
} from '../core/breaker.ts'

/**
 * `/livez` and `/readyz`: whether the Worker runs, and whether what it stands on answers.
 * @module
 */
export type { Given, HealthCheck, Observation } from './check.ts'
export { type DependencyOptions, postgresCheck, queueCheck, r2Check, redisCheck } from './dependencies.ts'
export type { BreakerStates, HealthDocument, HealthEntry, HealthStatus } from './document.ts'
export { type HealthOptions, health } from './routes.ts'

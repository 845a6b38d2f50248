import type { DoctorCheck } from '../check.ts'
import { databaseChecks } from '../database.ts'
import { secretsDeclared } from './env-1-secrets-declared.ts'
import { noSecretInVars } from './env-2-no-secret-in-vars.ts'
import { devVarsIgnored } from './env-4-dev-vars-ignored.ts'
import { schemaSatisfied } from './env-5-schema-satisfied.ts'
import { hsts } from './http-19-hsts.ts'
import { csp } from './http-20-csp.ts'
import { nosniff } from './http-21-nosniff.ts'
import { noStack } from './http-28-no-stack.ts'
import { probes } from './ops-52-probes.ts'
import { compatibilityDate } from './wrangler-7-compatibility-date.ts'
import { observability } from './wrangler-9-observability.ts'
import { sourceMaps } from './wrangler-11-source-maps.ts'
import { noSideDoors } from './wrangler-12-no-side-doors.ts'
import { deadLetters } from './wrangler-15-dead-letters.ts'
import { bindingsRepeated } from './wrangler-16-bindings-repeated.ts'

/** Every check, in the order of the report. */
export const checks: readonly DoctorCheck[] = [
  secretsDeclared,
  noSecretInVars,
  devVarsIgnored,
  schemaSatisfied,
  compatibilityDate,
  observability,
  sourceMaps,
  noSideDoors,
  deadLetters,
  bindingsRepeated,
  hsts,
  csp,
  nosniff,
  noStack,
  probes,
  ...databaseChecks,
]

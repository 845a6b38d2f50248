/**
 * For tests of applications, on Node: fill a database by its Drizzle schema, and hold every declared query to a good
 * plan.
 * @module
 */
export { type Examined, type ExamineOptions, examineQueries, requireGoodPlans } from './examine.ts'
export { type Filled, type FillOptions, fill, type SqlClient } from './fill.ts'
export { ownColumns, ownQueries, ownSchema } from './own/index.ts'
export { judgePlan, type PlanFault, type PlanLimits, type PlanNode, type TableSizes } from './plan.ts'
export {
  type ContractCase,
  chargeFor,
  type LimitedRoute,
  type ListLimitsOptions,
  listLimits,
  type RequireLimitsOptions,
  rateLimitStoreContract,
  requireLimits,
  type StoreUnderTest,
} from './rate-limit/index.ts'
export type { Overrides } from './rows.ts'

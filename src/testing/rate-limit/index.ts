/**
 * For tests of rate limits, on Node and in workerd: the contract of every store, and the routes of an app with their
 * policies.
 * @module
 */
export {
  type LimitedRoute,
  type ListLimitsOptions,
  listLimits,
  type RequireLimitsOptions,
  requireLimits,
} from './routes.ts'
export {
  type ContractCase,
  chargeFor,
  rateLimitStoreContract,
  type StoreUnderTest,
} from './store-contract.ts'

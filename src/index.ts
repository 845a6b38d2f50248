/**
 * Breakwater: what a Hono app on Cloudflare Workers puts on when real users show up. Here the capabilities are
 * composed; each also stands alone under its own name, such as `breakwater/rate-limit`.
 * @module
 */
export {
  type BreakwaterHandler,
  type BreakwaterOptions,
  breakwater,
  type CronTask,
  type QueueConsumer,
} from './breakwater.ts'
export { type GuardOptions, guard } from './guard.ts'

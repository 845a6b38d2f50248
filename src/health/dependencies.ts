import type { Context } from 'hono'
import type { Given, HealthCheck } from './check.ts'

/** What every ready-made check can be told. */
export interface DependencyOptions {
  /** Whether the service is useless without it. Default true. */
  readonly critical?: boolean
}

function resolve<T>(given: Given<T>, c: Context): T {
  return typeof given === 'function' ? (given as (c: Context) => T)(c) : given
}

/** Whether PostgreSQL answers `select 1`. Takes any Drizzle database. */
export function postgresCheck(
  database: Given<{ execute(query: string): PromiseLike<unknown> }>,
  options: DependencyOptions = {},
): HealthCheck {
  return {
    ...options,
    componentType: 'datastore',
    async run(_signal, c) {
      await resolve(database, c).execute('select 1')
    },
  }
}

/** Whether Redis answers PING. */
export function redisCheck(
  redis: Given<{ ping(): PromiseLike<unknown> }>,
  options: DependencyOptions = {},
): HealthCheck {
  return {
    ...options,
    componentType: 'datastore',
    async run(_signal, c) {
      const answer = await resolve(redis, c).ping()
      if (answer !== 'PONG') throw new TypeError('Redis did not answer PONG')
    },
  }
}

/** Whether an R2 bucket answers for a key that is not there; one class B operation. */
export function r2Check(
  bucket: Given<{ head(key: string): PromiseLike<unknown> }>,
  options: DependencyOptions = {},
): HealthCheck {
  return {
    ...options,
    componentType: 'datastore',
    async run(_signal, c) {
      await resolve(bucket, c).head('breakwater/health')
    },
  }
}

/** Whether a queue is bound. Sending would cost a message each time, and a consumer to throw it away. */
export function queueCheck(
  queue: Given<{ send(message: never): unknown } | undefined>,
  options: DependencyOptions = {},
): HealthCheck {
  return {
    ...options,
    async run(_signal, c) {
      if (typeof resolve(queue, c)?.send !== 'function') throw new TypeError('The queue is not bound')
    },
  }
}

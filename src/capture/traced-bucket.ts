import { span } from '../core/index.ts'

const METHODS: ReadonlySet<PropertyKey> = new Set([
  'get',
  'put',
  'head',
  'delete',
  'list',
  'createMultipartUpload',
])

/**
 * An R2 bucket whose calls are spans of the current unit of work, named by their method: keys may say who somebody is.
 * Otherwise the same bucket.
 */
export function tracedBucket<B extends object>(bucket: B): B {
  return new Proxy(bucket, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      if (!METHODS.has(property)) return value.bind(target)
      return (...args: unknown[]) =>
        span('object-store', `R2 ${String(property)}`, async () => Reflect.apply(value, target, args))
    },
  })
}

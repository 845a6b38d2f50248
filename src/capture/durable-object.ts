import { workFor, workForRequest } from '../core/index.ts'
import { currentCapture } from './capture.ts'
import { type CaptureSource, captureOf, watch } from './watch.ts'
import type { WorkCapture } from './work-capture.ts'

type Method = (this: object, ...args: unknown[]) => unknown
// biome-ignore lint/suspicious/noExplicitAny: what a mixin's constructor must take, says TypeScript.
type ObjectClass = new (...args: any[]) => object

/** Methods of a class that are its own, those it inherits from another class of the app included. */
function methodsOf(prototype: object): Map<string, Method> {
  const found = new Map<string, Method>()
  for (
    let at: object | null = prototype;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    // The platform's own classes have nothing to watch.
    if (/^(?:DurableObject|WorkerEntrypoint|RpcTarget)(?:Base)?$/.test(at.constructor?.name ?? '')) break
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (name !== 'constructor' && typeof value === 'function' && !found.has(name)) found.set(name, value)
    }
  }
  return found
}

/**
 * Watches a Durable Object: `fetch`, `alarm`, the WebSocket handlers and every method that is called by RPC. What one of them
 * throws is told, a returned 5xx too, and then it goes on to the caller as before.
 *
 * ```ts
 * export const Room = captureObject((env: Env) => ({ dsn: env.SENTRY_DSN }), class Room extends DurableObject<Env> { … })
 * ```
 *
 * A method that calls another of the same object is one unit of work, not two.
 * @param options as for `withCapture`.
 */
export function captureObject<Env, C extends ObjectClass>(options: CaptureSource<Env>, Class: C): C {
  const of = captureOf(options)
  // Whose work it is, so that an object's calls to itself are known.
  const owners = new WeakMap<WorkCapture, object>()
  const Watched = class extends Class {}
  Object.defineProperty(Watched, 'name', { value: Class.name })
  for (const [name, method] of methodsOf(Class.prototype as object)) {
    async function watched(this: object, ...args: unknown[]): Promise<unknown> {
      const { ctx, env } = this as { readonly ctx?: DurableObjectState; readonly env?: Env }
      const capture = of(env as Env)
      const around = currentCapture()
      if (!capture.enabled || (around !== undefined && owners.get(around) === this))
        return method.apply(this, args)
      const [first] = args
      const request = name === 'fetch' && first instanceof Request ? first : undefined
      const work = request ? workForRequest(request, ctx) : workFor('other', ctx)
      const label = `${Class.name}.${name}`
      const state = capture.begin(work, request, label)
      state.route = () => label
      owners.set(state, this)
      return watch(capture, state, request ? 'fetch' : 'other', async () => method.apply(this, args))
    }
    Object.defineProperty(Watched.prototype, name, { value: watched, configurable: true, writable: true })
  }
  return Watched
}

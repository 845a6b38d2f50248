import type { Context, Hono } from 'hono'
import { DEFERRED, requirementOf } from '../../rate-limit/requirement.ts'

/** A route of an app and the rate limits on its way. */
export interface LimitedRoute {
  /** `GET`, or `ALL` for a route of every method. */
  readonly method: string
  /** As it was registered, such as `/users/:id`. */
  readonly path: string
  /** Names of its policies, in the order in which they stand; those that services ask by themselves are not seen. */
  readonly policies: readonly string[]
}

/** Options of {@link listLimits}. */
export interface ListLimitsOptions {
  /**
   * An address for a route whose pattern none can be made up for: `{ '/:year{\\d{4}}': '/2026' }`. The list says which.
   */
  readonly examples?: Readonly<Record<string, string>>
}

/** Options of {@link requireLimits}. */
export interface RequireLimitsOptions extends ListLimitsOptions {
  /** Routes that are meant to have no limit, as the list writes them: `GET /livez`, or `/livez` for any method. */
  readonly except?: readonly string[]
}

interface AnyRoute {
  readonly method: string
  readonly path: string
  readonly handler: unknown
}

// The environment of an app says nothing about its routes.
// biome-ignore lint/suspicious/noExplicitAny: Hono is invariant in its environment, and every app must fit.
type AnyApp = Pick<Hono<any, any, any>, 'routes' | 'router'>

/** What the parameters of a pattern may be filled with, until one fits its expression. */
const WORDS = [
  'x',
  '1',
  'a.txt',
  '2026-01-31',
  '018f4e9c-7b1a-7c3d-8e5f-0123456789ab',
  'AA',
  'a/b',
  '2026',
  '12',
]

function addresses(path: string): string[] {
  return WORDS.map((word) =>
    path
      .replace(/\/\*$/, `/${word}`)
      .replaceAll('*', word)
      .replace(/:\w+(?:\{(?:[^{}]|\{[^{}]*\})*\})?\??/g, word),
  )
}

/** Whether a handler ends a chain: Hono tells it from middleware by its parameters, and so do we. */
const answers = (handler: unknown): boolean => {
  const own = (handler as { __COMPOSED_HANDLER?: unknown }).__COMPOSED_HANDLER ?? handler
  return typeof own === 'function' && own.length < 2
}

/** The handlers that a request meets, in order. */
function chain(app: AnyApp, method: string, path: string): AnyRoute[] {
  const [found] = app.router.match(method, path) as unknown as [[[unknown, AnyRoute], unknown][]]
  return found.map(([[, route]]) => route)
}

/**
 * Every route of an app that answers, with the policies a request to it is held to: those of `rateLimit()` (or of a
 * guard around it) and of each `limit()` before its handler.
 *
 * @throws TypeError when no address can be made up for a route; give one in `examples`.
 */
export function listLimits(app: AnyApp, options: ListLimitsOptions = {}): LimitedRoute[] {
  const listed = new Map<string, LimitedRoute>()
  for (const route of app.routes as AnyRoute[]) {
    if (!answers(route.handler) || listed.has(`${route.method} ${route.path}`)) continue
    const { method, path } = route
    const given = options.examples?.[path]
    const way = (given === undefined ? addresses(path) : [given])
      .map((address) => chain(app, method === 'ALL' ? 'GET' : method, address))
      .find((found) => found.includes(route))
    if (way === undefined) {
      throw new TypeError(`No address fits the route ${method} ${path}: give one in \`examples\``)
    }
    const policies: string[] = []
    for (const { handler } of way.slice(0, way.indexOf(route))) {
      const requirement = requirementOf(handler as (c: Context) => Response)
      if (requirement !== undefined && requirement !== DEFERRED && !policies.includes(requirement.policy))
        policies.push(requirement.policy)
    }
    listed.set(`${method} ${path}`, { method, path, policies })
  }
  return [...listed.values()]
}

/**
 * Fails when a route has no rate limit and is not among the exceptions, or when an exception names no such route.
 *
 * @example it('limits every route', () => { requireLimits(app, { except: ['/livez', '/readyz'] }) })
 * @returns The list, for further questions.
 * @throws Error that names the routes.
 */
export function requireLimits(app: AnyApp, options: RequireLimitsOptions = {}): LimitedRoute[] {
  const routes = listLimits(app, options)
  const bare = routes.filter(({ policies }) => policies.length === 0)
  const except = options.except ?? []
  const names = ({ method, path }: LimitedRoute) => [`${method} ${path}`, path]
  const faults = bare
    .filter((route) => !names(route).some((name) => except.includes(name)))
    .map(({ method, path }) => `${method} ${path} has no rate limit`)
  for (const name of except) {
    if (!bare.some((route) => names(route).includes(name)))
      faults.push(`${name} is excepted, but no route without a limit`)
  }
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return routes
}

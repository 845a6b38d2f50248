// Checked by the compiler alone: `npm run check` fails when an expectation does not hold.

import { breaker } from 'breakwater/breaker'
import {
  type BreakwaterError,
  type ErrorCode,
  isBreakwaterError,
  type Problem,
  problems,
  type RequestContextEnv,
  requestContext,
  toProblem,
  type Work,
} from 'breakwater/core'
import { type Logger, log, logger } from 'breakwater/log'
import { bodyLimit, cors, csrf, type SecureEnv, secure, secureHeaders, timeBudget } from 'breakwater/secure'
import { validate } from 'breakwater/validate'
import { Hono } from 'hono'
import { hc, type InferRequestType, type InferResponseType } from 'hono/client'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'

// Chained `use` adds up what each middleware puts on the context; nothing becomes `any`.
const app = new Hono<{ Bindings: { NAME: string } }>()
  .use(requestContext())
  .use(log())
  .use(secure())
  .use(cors({ origins: ['https://app.example.com'] }))
  .use(csrf(), bodyLimit(), timeBudget('5 s'))
  .get('/', (c) => {
    expectTypeOf(c.var).not.toBeAny()
    expectTypeOf(c.var.work).toEqualTypeOf<Work>()
    expectTypeOf(c.var.work).not.toBeAny()
    expectTypeOf(c.var.requestId).toEqualTypeOf<string>()
    expectTypeOf(c.var.cspNonce).toEqualTypeOf<() => string>()
    expectTypeOf(c.env).not.toBeAny()
    expectTypeOf(c.env.NAME).toEqualTypeOf<string>()
    // @ts-expect-error: nobody put this there
    c.var.nobody
    return c.json({ id: c.var.requestId })
  })
  .post(
    '/users/:id',
    validate('param', z.object({ id: z.string() })),
    validate('query', z.object({ page: z.coerce.number<string>() })),
    validate('json', z.object({ name: z.string(), age: z.number().optional() })),
    (c) => {
      expectTypeOf(c.req.valid('json')).toEqualTypeOf<{ name: string; age?: number | undefined }>()
      expectTypeOf(c.req.valid('json')).not.toBeAny()
      expectTypeOf(c.req.valid('query')).toEqualTypeOf<{ page: number }>()
      expectTypeOf(c.req.valid('param')).toEqualTypeOf<{ id: string }>()
      // @ts-expect-error: no form was validated
      c.req.valid('form')
      return c.json({ greeting: c.req.valid('json').name }, 201)
    },
  )

// `problems` gives back the same type, so that the client knows the routes.
const served = problems(app)
expectTypeOf(served).toEqualTypeOf(app)
const client = hc<typeof served>('https://example.com')
type Create = (typeof client.users)[':id']['$post']
expectTypeOf<InferRequestType<Create>>().not.toBeAny()
expectTypeOf<InferRequestType<Create>['json']>().toEqualTypeOf<{ name: string; age?: number | undefined }>()
expectTypeOf<InferRequestType<Create>['param']>().toEqualTypeOf<{ id: string }>()
expectTypeOf<InferResponseType<Create, 201>>().toEqualTypeOf<{ greeting: string }>()
expectTypeOf<InferResponseType<(typeof client.index)['$get']>>().toEqualTypeOf<{ id: string }>()

// A sub-app states what it needs, and a parent that has it takes the sub-app.
const sub = new Hono<RequestContextEnv & SecureEnv>().get('/', (c) =>
  c.text(c.var.cspNonce() + c.var.work.id),
)
expectTypeOf(new Hono().use(requestContext(), secureHeaders()).route('/sub', sub)).not.toBeAny()

// Errors.
const caught: unknown = undefined
if (isBreakwaterError(caught)) {
  expectTypeOf(caught).toEqualTypeOf<BreakwaterError>()
  expectTypeOf(caught.code).toEqualTypeOf<ErrorCode>()
}
expectTypeOf(toProblem(caught)).toEqualTypeOf<Problem>()
expectTypeOf(toProblem(caught).status).toEqualTypeOf<number>()
expectTypeOf(breaker('x').run(async () => 7)).toEqualTypeOf<Promise<number>>()
expectTypeOf(logger.with({ a: 1 })).toEqualTypeOf<Logger>()

// Options that are wrong do not compile.
// @ts-expect-error: not a duration
requestContext({ deadline: 'soon' })
// @ts-expect-error: origins are required
cors({})
// @ts-expect-error: no such option
bodyLimit({ xml: 1 })
// @ts-expect-error: no such target
validate('body', z.string())

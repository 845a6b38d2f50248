import { isBreakwaterError } from 'breakwater/core'
import { defineEnv, EnvironmentError, integer, requireEnv } from 'breakwater/env'
import { Hono } from 'hono'
import { expect, expectTypeOf, it } from 'vitest'

const definition = defineEnv({ vars: { LIMIT: integer() } })

it('puts the parsed environment on the context, typed', async () => {
  const app = new Hono().use(requireEnv({ definition })).get('/', (c) => {
    expectTypeOf(c.var.env.LIMIT).toEqualTypeOf<number>()
    expectTypeOf(c.env.LIMIT).toEqualTypeOf<string | number>()
    return c.json(c.var.env)
  })
  const reply = await app.request('/', {}, { LIMIT: '5' })
  expect(await reply.json()).toEqual({ LIMIT: 5 })
})

it('answers 500 and tells the caller nothing of the environment', async () => {
  let seen: unknown
  const app = new Hono().use(requireEnv({ definition })).get('/', (c) => c.text('never'))
  app.onError((error) => {
    seen = error
    return isBreakwaterError(error) ? error.getResponse() : new Response(null, { status: 599 })
  })
  for (const env of [{}, undefined]) {
    const reply = await app.request('/', {}, env as object)
    expect(reply.status).toBe(500)
    expect(await reply.text()).not.toContain('LIMIT')
    expect(isBreakwaterError(seen) && seen.code).toBe('misconfigured')
    expect((seen as Error).cause).toBeInstanceOf(EnvironmentError)
  }
})

it('throws when built without a definition', () => {
  expect(() => requireEnv({} as never)).toThrow(TypeError)
})

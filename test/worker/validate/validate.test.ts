import { type } from 'arktype'
import { problems } from 'breakwater/core'
import { validate, validationFailed } from 'breakwater/validate'
import { Hono } from 'hono'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const schemas = {
  zod: z.object({ email: z.email(), tags: z.array(z.string().min(2)), 'a/b~c': z.number() }),
  valibot: v.object({
    email: v.pipe(v.string(), v.email()),
    tags: v.array(v.pipe(v.string(), v.minLength(2))),
    'a/b~c': v.number(),
  }),
  arktype: type({ email: 'string.email', tags: 'string>=2[]', 'a/b~c': 'number' }),
}

const send = (app: { request: Hono['request'] }, body: unknown, contentType = 'application/json') =>
  Promise.resolve(
    app.request('/', {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'Content-Type': contentType },
    }),
  )

for (const [library, schema] of Object.entries(schemas)) {
  describe(`with ${library}`, () => {
    const app = problems(
      new Hono().post('/', validate('json', schema as typeof schemas.zod), (c) =>
        c.json(c.req.valid('json')),
      ),
    )

    it('hands on what is valid', async () => {
      const good = { email: 'ann@example.com', tags: ['ab'], 'a/b~c': 1 }
      expect(await (await send(app, good)).json()).toEqual(good)
    })

    it('lists each faulty field by its JSON Pointer, and quotes nothing from the input', async () => {
      const reply = await send(app, {
        email: 'hunter2-not-an-address',
        tags: ['ab', '!'],
        'a/b~c': 'secret-value',
      })
      expect(reply.status).toBe(422)
      const document = await reply.json<{ code: string; errors: { pointer: string; detail: string }[] }>()
      expect(document.code).toBe('validation-failed')
      expect(document.errors.map((fault) => fault.pointer).sort()).toEqual(['/a~1b~0c', '/email', '/tags/1'])
      for (const fault of document.errors) expect(fault.detail).toMatch(/\w/)
      expect(JSON.stringify(document)).not.toMatch(/hunter2|secret-value/)
    })
  })
}

describe('the body', () => {
  const app = problems(
    new Hono()
      .post('/', validate('json', z.object({ a: z.string().optional() })), (c) => c.json(c.req.valid('json')))
      .post('/form', validate('form', z.object({ a: z.string() })), (c) => c.json(c.req.valid('form'))),
  )

  it('must be what the route takes', async () => {
    for (const contentType of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
      const reply = await send(app, '{"a":"x"}', contentType)
      expect(reply.status).toBe(415)
      expect(reply.headers.get('accept')).toBe('application/json')
      expect(await reply.json()).toMatchObject({ code: 'unsupported-media-type' })
    }
    expect((await send(app, '{"a":"x"}', 'application/merge-patch+json; charset=utf-8')).status).toBe(200)
    const form = await app.request('/form', {
      method: 'POST',
      body: '{}',
      headers: { 'Content-Type': 'application/json' },
    })
    expect(form.status).toBe(415)
  })

  it('may be absent when the schema allows it', async () => {
    expect((await app.request('/', { method: 'POST' })).status).toBe(200)
  })

  it('is malformed, not invalid, when it is no JSON', async () => {
    const reply = await send(app, '{"a":')
    expect(reply.status).toBe(400)
    expect(await reply.json()).toMatchObject({ code: 'malformed-json', title: 'Malformed JSON' })
  })

  it('takes forms', async () => {
    const ok = await app.request('/form', { method: 'POST', body: new URLSearchParams({ a: 'x' }) })
    expect(await ok.json()).toEqual({ a: 'x' })
    const bad = await app.request('/form', { method: 'POST', body: new URLSearchParams({ b: 'x' }) })
    expect(await bad.json()).toMatchObject({ errors: [{ pointer: '/a' }] })
  })
})

it('locates faults in the query, in headers, parameters and cookies', async () => {
  const app = problems(
    new Hono()
      .get('/query', validate('query', z.object({ page: z.coerce.number() })), (c) =>
        c.json(c.req.valid('query')),
      )
      .get('/header', validate('header', z.object({ 'x-a': z.string() })), (c) => c.text('ok'))
      .get('/param/:id', validate('param', z.object({ id: z.uuid() })), (c) => c.text('ok'))
      .get('/cookie', validate('cookie', z.object({ theme: z.string() })), (c) => c.text('ok')),
  )
  const pointer = async (path: string) =>
    (await (await app.request(path)).json<{ errors: { pointer: string }[] }>()).errors[0]?.pointer
  expect(await pointer('/query?page=x')).toBe('?page')
  expect(await pointer('/header')).toBe('header:x-a')
  expect(await pointer('/param/7')).toBe('param:id')
  expect(await pointer('/cookie')).toBe('cookie:theme')
  expect(await (await app.request('/query?page=2')).json()).toEqual({ page: 2 })
})

it('bounds how much it says about a hostile body', async () => {
  const app = problems(new Hono().post('/', validate('json', z.array(z.string())), (c) => c.text('ok')))
  const reply = await send(app, new Array(10_000).fill(1))
  const document = await reply.json<{ errors: unknown[]; detail: string }>()
  expect(document.errors).toHaveLength(50)
  expect(document.detail).toBe('10000 fields are not valid.')
})

it('is there for code that validates by itself', () => {
  const error = validationFailed([{ message: 'no', path: [{ key: 'a' }, 0] }])
  expect(error.fields).toEqual([{ pointer: '/a/0', detail: 'no' }])
  expect(error.status).toBe(422)
  expect(() => validate('json', {} as typeof schemas.zod)).toThrow(TypeError)
})

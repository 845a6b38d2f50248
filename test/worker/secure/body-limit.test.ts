import { problems } from 'breakwater/core'
import { bodyLimit, secure } from 'breakwater/secure'
import { validate } from 'breakwater/validate'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const KIB = 1024

/** A body that arrives in pieces and counts what was taken of it. */
function stream(
  piece: Uint8Array,
  pieces: number,
): { body: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (taken >= pieces) controller.close()
        else {
          taken++
          controller.enqueue(piece)
        }
      },
    },
    { highWaterMark: 0 },
  )
  return { body, taken: () => taken }
}

function request(
  path: string,
  type: string | undefined,
  body: BodyInit,
  headers: Record<string, string> = {},
): Request {
  return new Request(`https://example.com${path}`, {
    method: 'POST',
    body,
    headers: { ...(type !== undefined && { 'Content-Type': type }), ...headers },
    duplex: 'half',
  } as RequestInit)
}

const app = problems(
  new Hono()
    .use(bodyLimit({ json: KIB, jsonDepth: 8, form: KIB, multipart: KIB, text: KIB, other: KIB }))
    .post('/json', async (c) => c.json(await c.req.json()))
    .post('/text', async (c) => c.text(await c.req.text()))
    .post('/form', async (c) => c.json(Object.keys(await c.req.parseBody())))
    .post('/bytes', async (c) => c.json((await c.req.arrayBuffer()).byteLength))
    .post('/raw', async (c) => c.json((await c.req.raw.text()).length))
    .post('/ignored', (c) => c.text('fine'))
    .post('/caught', async (c) => {
      try {
        return c.json(await c.req.json())
      } catch {
        return c.text('could not read that', 400)
      }
    })
    .post('/validated', validate('json', z.object({ a: z.string() })), (c) => c.json(c.req.valid('json')))
    .post('/more', bodyLimit({ json: 8 * KIB }), async (c) => c.json((await c.req.text()).length))
    .post('/less', bodyLimit({ json: 16 }), async (c) => c.json((await c.req.text()).length))
    .post('/none', bodyLimit({ other: false }), async (c) => c.json((await c.req.arrayBuffer()).byteLength)),
)

const ask = async (asked: Request): Promise<Response> => app.fetch(asked)

describe('a body over its limit', () => {
  const big = 'x'.repeat(2 * KIB)
  const cases: [string, string | undefined, BodyInit][] = [
    ['/json', 'application/json', JSON.stringify(big)],
    ['/json', 'application/vnd.api+json; charset=utf-8', JSON.stringify(big)],
    ['/text', 'text/plain', big],
    ['/form', 'application/x-www-form-urlencoded', `a=${big}`],
    ['/bytes', 'application/octet-stream', big],
    ['/bytes', undefined, new TextEncoder().encode(big)],
    ['/raw', 'text/plain', big],
    ['/validated', 'application/json', JSON.stringify({ a: big })],
    ['/caught', 'application/json', JSON.stringify(big)],
  ]
  for (const [path, type, body] of cases) {
    it(`is refused with 413: ${path}, ${type ?? 'no type'}`, async () => {
      const declared = await ask(request(path, type, body))
      expect(declared.status).toBe(413)
      expect(await declared.json()).toMatchObject({ code: 'payload-too-large', limit: KIB })
      // The same in pieces, without a length.
      const bytes = new Uint8Array(await new Response(body).arrayBuffer())
      const chunked = await ask(request(path, type, stream(bytes.subarray(0, 512), 4).body))
      expect(chunked.status).toBe(413)
      // And with a length that lies.
      const lying = await ask(
        request(path, type, stream(bytes.subarray(0, 512), 4).body, { 'Content-Length': '5' }),
      )
      expect(lying.status).toBe(413)
    })
  }

  it('refuses multipart forms too', async () => {
    const form = new FormData()
    form.set('file', new File([big], 'a.txt'))
    const whole = new Request('https://example.com/form', { method: 'POST', body: form })
    expect((await ask(whole)).status).toBe(413)
    const type = 'multipart/form-data; boundary=x'
    const piece = new TextEncoder().encode(
      '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'.padEnd(900, 'y'),
    )
    expect((await ask(request('/form', type, stream(piece, 9).body))).status).toBe(413)
  })

  it('stops a gigabyte that says it is five bytes after the first pieces', async () => {
    const piece = new Uint8Array(64 * KIB)
    for (const path of ['/text', '/bytes', '/raw', '/caught']) {
      const { body, taken } = stream(piece, 16 * KIB)
      const reply = await ask(
        request(path, path === '/bytes' ? 'application/octet-stream' : 'text/plain', body, {
          'Content-Length': '5',
        }),
      )
      expect(reply.status).toBe(413)
      expect(taken()).toBeLessThan(8)
    }
  })

  it('takes nothing from a body that nobody reads', async () => {
    const { body, taken } = stream(new Uint8Array(16), 4)
    expect(await (await ask(request('/ignored', 'application/octet-stream', body))).text()).toBe('fine')
    expect(taken()).toBe(0)
  })
})

describe('a body within its limit', () => {
  it('arrives as it was sent, to the last byte allowed', async () => {
    const exact = 'x'.repeat(KIB)
    expect(await (await ask(request('/text', 'text/plain', exact))).text()).toBe(exact)
    expect(
      await (await ask(request('/json', 'application/json', '{"a":[1,{"b":"[[[{{{"}]}'))).json(),
    ).toEqual({
      a: [1, { b: '[[[{{{' }],
    })
    expect(
      await (await ask(request('/form', 'application/x-www-form-urlencoded', 'a=1&b=2'))).json(),
    ).toEqual(['a', 'b'])
    expect(
      await (
        await ask(request('/bytes', 'application/octet-stream', stream(new Uint8Array(8), 3).body))
      ).json(),
    ).toBe(24)
    const form = new FormData()
    form.set('file', new File(['hello'], 'a.txt'))
    const multipart = new Request('https://example.com/form', { method: 'POST', body: form })
    expect(await (await ask(multipart)).json()).toEqual(['file'])
  })

  it('still reports malformed JSON as such', async () => {
    const reply = await ask(request('/json', 'application/json', '{"a":'))
    expect(await reply.json()).toMatchObject({ status: 400, code: 'malformed-json' })
  })
})

describe('JSON that nests too deep', () => {
  it('is refused before it is parsed, also in pieces, and strings do not count', async () => {
    const deep = `${'['.repeat(9)}${']'.repeat(9)}`
    for (const path of ['/json', '/raw', '/caught', '/validated']) {
      const reply = await ask(request(path, 'application/json', deep))
      expect(reply.status).toBe(400)
      expect(await reply.json()).toMatchObject({
        code: 'bad-request',
        detail: expect.stringContaining('8 levels'),
      })
    }
    const piece = new TextEncoder().encode('{"a":[')
    expect((await ask(request('/json', 'application/json', stream(piece, 5).body))).status).toBe(400)
    const fine = `${'['.repeat(8)}"\\"[[[[[\\\\"${']'.repeat(8)}`
    expect((await ask(request('/json', 'application/json', fine))).status).toBe(200)
  })
})

describe('a limit near the handler', () => {
  it('may allow more or less than the app does', async () => {
    const text = JSON.stringify('x'.repeat(4 * KIB))
    expect(await (await ask(request('/more', 'application/json', text))).json()).toBe(text.length)
    expect(
      (await ask(request('/more', 'application/json', JSON.stringify('x'.repeat(9 * KIB))))).status,
    ).toBe(413)
    expect((await ask(request('/less', 'application/json', JSON.stringify('x'.repeat(20))))).status).toBe(413)
    const none = await ask(request('/none', 'application/octet-stream', new Uint8Array(64 * KIB)))
    expect(await none.json()).toBe(64 * KIB)
  })

  it('also inside a sub-app, and under secure()', async () => {
    const sub = new Hono().post('/in', bodyLimit({ text: 8 * KIB }), async (c) =>
      c.json((await c.req.text()).length),
    )
    sub.onError((_error, c) => c.text('mine', 500))
    const outer = problems(
      new Hono()
        .use(secure({ body: { text: 4 } }))
        .route('/sub', sub)
        .post('/out', async (c) => c.text(await c.req.text())),
    )
    expect(await (await outer.fetch(request('/sub/in', 'text/plain', 'x'.repeat(KIB)))).json()).toBe(KIB)
    expect((await outer.fetch(request('/out', 'text/plain', 'x'.repeat(KIB)))).status).toBe(413)
  })

  it('keeps a declared length known, as object stores need it', async () => {
    const { env } = await import('cloudflare:workers')
    const store = problems(
      new Hono<{ Bindings: { BUCKET: R2Bucket } }>().use(secure()).put('/object', async (c) => {
        const object = await c.env.BUCKET.put('object', c.req.raw.body)
        return c.json(object?.size)
      }),
    )
    const put = new Request('https://example.com/object', { method: 'PUT', body: new Uint8Array(100_000) })
    const reply = await store.fetch(
      new Request(put, {
        headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': '100000' },
      }),
      env as unknown as { BUCKET: R2Bucket },
    )
    expect(await reply.json()).toBe(100_000)
  })
})

it('refuses limits that are no sizes when it is built', () => {
  for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => bodyLimit({ json: bad })).toThrow(TypeError)
  }
})

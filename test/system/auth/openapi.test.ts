import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { authOpenApi, type OpenApiDocument } from 'breakwater/auth/openapi'
import { createLimiter, memory } from 'breakwater/rate-limit'
import { beforeAll, describe, expect, it } from 'vitest'
import { operations } from '../../../src/auth/openapi/operations.ts'
import { stepAt, totpCode } from '../../../src/auth/totp.ts'
import { fromBase32 } from '../../conformance/asvs/breakwater.ts'
import { scratchDatabase } from '../support/postgres.ts'
import { type Application, createApplication, OTHER_PASSWORD, PASSWORD, type Reply } from './support.ts'

const ajv = new Ajv2020({ strict: false, allErrors: true })
;(formats as unknown as (on: Ajv2020) => void)(ajv)

let app: Application
let document: OpenApiDocument
/** Answers seen, as `post /auth/sign-in 200`. */
const seen = new Set<string>()
const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>

/** The templated path of a request. */
function pathOf(path: string): string {
  return path.replace(/\/[0-9a-f]{8}-[0-9a-f-]{27}$/, '/{id}')
}

/** Holds an answer to what the document says of it. */
function judge(method: string, path: string, reply: Reply): Reply {
  const at = `${method.toLowerCase()} ${pathOf(path)}`
  const operation = document.paths[pathOf(path)]?.[method.toLowerCase()]
  if (operation === undefined) throw new Error(`${at} is not described`)
  const said = operation.responses[reply.status] as
    | { description: string; content?: Record<string, { schema: object }> }
    | undefined
  if (said === undefined) throw new Error(`${at} answered ${reply.status} ${JSON.stringify(reply.json)}`)
  seen.add(`${at} ${reply.status}`)
  const [type, content] = Object.entries(said.content ?? {})[0] ?? []
  if (content === undefined) expect(reply.json).toEqual({})
  else if (type === 'application/problem+json') {
    // What renders problems is the application's; here it is the code that counts.
    if (!said.description.includes(`\`${reply.json['code']}\``)) {
      throw new Error(`${at} answered ${reply.json['code']}, which is not among ${said.description}`)
    }
  } else {
    const valid = ajv.compile(closed(content.schema))
    if (!valid(reply.json)) throw new Error(`${at}: ${ajv.errorsText(valid.errors)}`)
  }
  return reply
}

/** The schema with no room for members that it does not name: nothing may be answered that is not described. */
function closed(schema: unknown): object {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema as never
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return 'properties' in schema ? { ...inner, additionalProperties: false } : inner
}

function watched(client: ReturnType<Application['createClient']>) {
  return {
    ...client,
    post: async (path: string, body?: unknown, headers?: Record<string, string>) =>
      judge('POST', path, await client.post(path, body, headers)),
    get: async (path: string, headers?: Record<string, string>) =>
      judge('GET', path, await client.get(path, headers)),
    delete: async (path: string) => judge('DELETE', path, await client.send('DELETE', path)),
  }
}

beforeAll(async () => {
  app = await createApplication(await scratchDatabase(), {
    tokens: {},
    limiter: createLimiter({ store: memory() }),
  })
  document = authOpenApi(app.auth)
})

describe('the OpenAPI document of authRoutes', () => {
  it('is one, says a validator of the specification', async () => {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(plain(document))
    expect(errors ?? []).toEqual([])
    expect(valid).toBe(true)
    expect(validator.version).toBe('3.1')
    // A validator that takes anything proves nothing.
    const broken = plain(document)
    broken['paths'] = { 'no-slash': { get: {} } }
    expect((await new Validator().validate(broken)).valid).toBe(false)
  })

  it('has every route that is mounted, every one that hc knows, and no other', () => {
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    )
    const mounted = app.app.routes
      .filter(({ path, method }) => path.startsWith('/auth/') && method !== 'ALL')
      .map(({ path, method }) => `${method.toLowerCase()} ${path.replace(':id', '{id}')}`)
    expect(documented.sort()).toEqual([...new Set(mounted)].sort())
    const typed = Object.entries(operations).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} /auth${path.replace(':id', '{id}')}`),
    )
    expect(documented).toEqual(typed.sort())
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('moves with where the routes are mounted, and names what the application uses', () => {
    const moved = authOpenApi(app.auth, { path: '/v1/account', title: 'Acme', version: '7.0.0' })
    expect(Object.keys(moved.paths)).toContain('/v1/account/sessions/{id}')
    expect(moved.info).toEqual({ title: 'Acme', version: '7.0.0' })
    expect(moved.servers).toEqual([{ url: 'https://app.example' }])
    expect(JSON.stringify(moved.components)).toContain('"__Host-session"')
    expect(() => authOpenApi(app.auth, { path: 'auth/' })).toThrow(TypeError)
  })

  it('says truly who is let in: nobody without a session where it asks for one', async () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { security, requestBody }] of Object.entries(methods)) {
        const url = path.replace('{id}', '00000000-0000-7000-8000-000000000000')
        const body = requestBody && exampleOf(requestBody)
        const reply = await app.createClient('198.51.100.9').send(method.toUpperCase(), url, body)
        judge(method, url, reply)
        const unauthenticated = reply.json['code'] === 'unauthenticated'
        expect(`${method} ${path}: ${unauthenticated}`).toBe(`${method} ${path}: ${security !== undefined}`)
      }
    }
  })

  it('says truly what is refused: every member of every body, and other sites', async () => {
    await app.register('refused@example.com')
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { requestBody }] of Object.entries(methods)) {
        if (requestBody === undefined) continue
        const client = watched(await app.signedIn('refused@example.com'))
        const example = exampleOf(requestBody)
        for (const name of Object.keys(example)) {
          const { [name]: _, ...less } = example
          const reply = await client.post(path, less)
          expect([path, reply.status, reply.json['fields']]).toEqual([
            path,
            422,
            [expect.objectContaining({ pointer: `/${name}` })],
          ])
        }
        expect((await client.post(path, '{', { 'content-type': 'application/json' })).status).toBe(400)
        expect((await client.post(path, 'a=1', { 'content-type': 'text/plain' })).status).toBe(415)
        expect((await client.post(path, { a: 'x'.repeat(20_000) })).status).toBe(413)
        expect((await client.post(path, example, { origin: 'https://evil.example' })).status).toBe(403)
        expect(method).toBe('post')
      }
    }
  })

  it('says truly what every endpoint answers when all is well', async () => {
    const email = 'ada@example.com'
    const anyone = () => watched(app.createClient())
    const mailed = async (tag: string) => app.tokenIn((await app.runJobs()).find((mail) => mail.tag === tag))
    await anyone().post('/auth/sign-up', { email, password: PASSWORD })
    await anyone().post('/auth/verify-mail', { token: await mailed('verify-mail') })
    const signIn = async (password: string, more: object = {}) => {
      const client = anyone()
      const reply = await client.post('/auth/sign-in', { email, password, ...more })
      return { client, reply }
    }
    let { client: ada } = await signIn(PASSWORD)
    const { client: phone } = await signIn(PASSWORD)
    await ada.get('/auth/session')
    await anyone().get('/auth/session')
    const { sessions } = (await ada.get('/auth/sessions')).json as {
      sessions: { id: string; current: boolean }[]
    }
    await ada.delete(`/auth/sessions/${sessions.find(({ current }) => !current)?.id}`)
    await ada.delete(`/auth/sessions/00000000-0000-7000-8000-000000000000`)
    await ada.post('/auth/sign-out-everywhere')
    await phone.post('/auth/sign-out')
    await ada.post('/auth/password/change', { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD })
    await anyone().post('/auth/password/forgot', { email })
    const newPassword = PASSWORD
    await anyone().post('/auth/password/reset', { token: await mailed('reset-password'), newPassword })

    const { reply } = await signIn(PASSWORD, { transport: 'token' })
    const { refreshToken } = reply.json['tokens'] as { refreshToken: string }
    await anyone().post('/auth/token/refresh', { refreshToken })
    await anyone().post('/auth/token/revoke', { refreshToken })
    await anyone().post('/auth/token/refresh', { refreshToken })

    ;({ client: ada } = await signIn(PASSWORD))
    await ada.post('/auth/mail/change', { email: 'ada@lighthouse.example' })
    await anyone().post('/auth/mail/confirm', { token: await mailed('change-mail') })
    ada = watched(app.createClient())
    const changed = 'ada@lighthouse.example'
    await ada.post('/auth/sign-in', { email: changed, password: PASSWORD })
    const { secret } = (await ada.post('/auth/second-factor/totp/enrol')).json as { secret: string }
    const code = (step: number) => totpCode(fromBase32(secret), stepAt(Date.now()) + step)
    await ada.post('/auth/second-factor/totp/confirm', { code: await code(-1) })
    await ada.get('/auth/second-factor')
    await ada.post('/auth/second-factor/totp/enrol')
    const made = await ada.post('/auth/second-factor/recovery-codes', { code: await code(0) })
    const again = anyone()
    const due = await again.post('/auth/sign-in', { email: changed, password: PASSWORD })
    const { challenge } = due.json as { challenge: string }
    await again.post('/auth/sign-in/second-factor', { challenge, code: await code(1) })
    const [first = ''] = (made.json as { recoveryCodes: string[] }).recoveryCodes
    await again.post('/auth/second-factor/totp/remove', { code: first })
    await again.post('/auth/account/close')

    const promised = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        Object.keys(responses)
          .filter((status) => status.startsWith('2'))
          .map((status) => `${method} ${path} ${status}`),
      ),
    )
    expect(promised.filter((one) => !seen.has(one))).toEqual([])
  })
})

/** A body that fits the document, and nothing else. */
function exampleOf(requestBody: object): Record<string, string> {
  const { content } = requestBody as { content: Record<string, { schema: Record<string, unknown> }> }
  const { schema } = content['application/json'] ?? { schema: {} }
  const properties = schema['properties'] as Record<string, { format?: string }>
  return Object.fromEntries(
    (schema['required'] as string[]).map((name) => [
      name,
      properties[name]?.format === 'email' ? 'nobody@example.com' : `some ${name} of a fair length`,
    ]),
  )
}

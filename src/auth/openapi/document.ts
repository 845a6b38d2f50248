import type { ErrorCode } from '../../core/index.ts'
import { type Auth, insideOf } from '../auth.ts'
import { email, type Field, password, token, transport } from '../input.ts'
import { authRoutes } from '../routes.ts'
import { type Operation, operations } from './operations.ts'
import type { JsonSchema } from './schema.ts'

/** Options of {@link authOpenApi}. */
export interface AuthOpenApiOptions {
  /** Where `authRoutes` are mounted. Default `/auth`. */
  readonly path?: string
  /** `info.title`. Default: the application's name. */
  readonly title?: string
  /** `info.version`, of the API. Default `1.0.0`. */
  readonly version?: string
}

/** An OpenAPI 3.1 document, as plain JSON. */
export interface OpenApiDocument {
  readonly openapi: '3.1.1'
  readonly info: { readonly title: string; readonly version: string }
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  readonly components: Readonly<Record<string, unknown>>
}

/** One operation of an {@link OpenApiDocument}. */
export interface OpenApiOperation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly parameters?: readonly object[]
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, object>>
  readonly security?: readonly object[]
}

const FIELDS: ReadonlyMap<Field<never>, JsonSchema> = new Map<Field<never>, JsonSchema>([
  [email as Field<never>, { type: 'string', format: 'email', maxLength: 254 }],
  [password as Field<never>, { type: 'string', format: 'password', minLength: 1 }],
  [token as Field<never>, { type: 'string', minLength: 1 }],
  [transport as Field<never>, { type: 'string', enum: ['cookie', 'token'], default: 'cookie' }],
])

/** The schema of what a route's own validation takes. */
function inputOf(shape: Readonly<Record<string, Field<unknown>>>): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  const required: string[] = []
  for (const [name, field] of Object.entries(shape)) {
    const schema = FIELDS.get(field as Field<never>)
    if (schema === undefined) throw new TypeError(`OpenAPI: the field ${name} has no schema`)
    properties[name] = schema
    if ('fault' in field(undefined)) required.push(name)
  }
  return { type: 'object', properties, required }
}

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'malformed-json': 400,
  'invalid-token': 400,
  unauthenticated: 401,
  'invalid-credentials': 401,
  'cross-site-request': 403,
  'fresh-authentication-required': 403,
  'not-found': 404,
  conflict: 409,
  'payload-too-large': 413,
  'unsupported-media-type': 415,
  'validation-failed': 422,
  'weak-password': 422,
  'quota-exceeded': 429,
  overloaded: 503,
  'dependency-unavailable': 503,
}

const PROBLEM: JsonSchema = {
  type: 'object',
  description: 'RFC 9457.',
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string', description: 'Stable: clients may switch on it.' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        properties: { pointer: { type: 'string' }, detail: { type: 'string' } },
        required: ['pointer', 'detail'],
      },
    },
  },
  required: ['title', 'status'],
}

/** The codes an operation may answer with: its own, and those of what stands before it. */
function errorsOf(operation: Operation, method: string, takesBody: boolean): ErrorCode[] {
  const codes: ErrorCode[] = [...(operation.errors ?? []), 'dependency-unavailable']
  if (method !== 'get') codes.push('cross-site-request')
  if (takesBody)
    codes.push('malformed-json', 'unsupported-media-type', 'payload-too-large', 'validation-failed')
  if (operation.who !== 'anyone') codes.push('unauthenticated')
  if (operation.who === 'fresh') codes.push('fresh-authentication-required')
  if (operation.limited) codes.push('quota-exceeded')
  return codes
}

function responsesOf(operation: Operation, codes: readonly ErrorCode[]): Record<string, object> {
  const responses: Record<string, object> = {}
  for (const [status, { json }] of Object.entries(operation.replies)) {
    responses[status] =
      status === '204'
        ? { description: 'Done.' }
        : { description: 'Done.', content: { 'application/json': { schema: json } } }
  }
  for (const code of codes) {
    const status = String(STATUS[code])
    const earlier = (responses[status] as { description?: string } | undefined)?.description
    responses[status] = {
      description: earlier === undefined ? `\`${code}\`` : `${earlier}, \`${code}\``,
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    }
  }
  return responses
}

/**
 * Describes the endpoints of `authRoutes(auth)` as an OpenAPI 3.1 document. Paths, methods and inputs are read off the
 * routes themselves, answers off declarations that TypeScript holds to the types `hc` knows.
 *
 * @throws TypeError when a route is not described
 * @example app.get('/openapi.json', (c) => c.json(authOpenApi(auth)))
 */
export function authOpenApi(auth: Auth, options: AuthOpenApiOptions = {}): OpenApiDocument {
  const { path: base = '/auth', version = '1.0.0' } = options
  if (!/^(?:\/[^/{}?#]+)*$/.test(base))
    throw new TypeError('authOpenApi: path begins with / and ends without')
  const { app, cookieName, tokens } = insideOf(auth).config
  const described: Readonly<Record<string, Readonly<Record<string, Operation>>>> = operations as never
  const security = [{ session: [] }, ...(tokens === undefined ? [] : [{ accessToken: [] }])]
  const paths: Record<string, Record<string, OpenApiOperation>> = {}

  const shapes = new Map<string, Readonly<Record<string, Field<unknown>>>>()
  for (const { path, method, handler } of authRoutes(auth).routes) {
    const { shape } = handler as { readonly shape?: Readonly<Record<string, Field<unknown>>> }
    if (shape !== undefined) shapes.set(`${method} ${path}`, shape)
  }
  for (const { path, method: upper } of authRoutes(auth).routes) {
    if (upper === 'ALL') continue
    const method = upper.toLowerCase()
    const operation = described[path]?.[method]
    if (operation === undefined) throw new TypeError(`OpenAPI: ${upper} ${path} is not described`)
    const shape = shapes.get(`${upper} ${path}`)
    const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
    const full = base + path.replaceAll(/:(\w+)/g, '{$1}')
    paths[full] ??= {}
    paths[full][method] = {
      operationId: [method, ...path.split(/\W+/).filter((word) => word !== '')].join('-'),
      summary: operation.summary,
      ...(operation.description !== undefined && { description: operation.description }),
      tags: ['Accounts and sessions'],
      ...(names.length > 0 && {
        parameters: names.map((name) => ({
          name,
          in: 'path',
          required: true,
          schema: { type: 'string', format: 'uuid' },
        })),
      }),
      ...(shape && {
        requestBody: { required: true, content: { 'application/json': { schema: inputOf(shape) } } },
      }),
      responses: responsesOf(operation, errorsOf(operation, method, shape !== undefined)),
      ...(operation.who !== 'anyone' && { security }),
    }
  }
  return {
    openapi: '3.1.1',
    info: { title: options.title ?? `Accounts of ${app.name}`, version },
    servers: [{ url: app.origin }],
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: cookieName },
        ...(tokens !== undefined && { accessToken: { type: 'http', scheme: 'bearer' } }),
      },
    },
  }
}

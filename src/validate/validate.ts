import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Env, Input, MiddlewareHandler, ValidationTargets } from 'hono'
import type { InferInput } from 'hono/validator'
import { validator } from 'hono/validator'
import { BreakwaterError, type FieldFault } from '../core/errors.ts'

/** Where in a request a schema applies: `json`, `form`, `query`, `param`, `header`, `cookie`. */
export type ValidationTarget = keyof ValidationTargets

type InputOf<Schema extends StandardSchemaV1, Target extends ValidationTarget> =
  StandardSchemaV1.InferInput<Schema> extends infer In
    ? [In] extends [ValidationTargets[Target]]
      ? In
      : InferInput<In, Target>
    : never

/** What validated input adds to a route's types: for `c.req.valid()` and for the client `hc`. */
export type Validated<Schema extends StandardSchemaV1, Target extends ValidationTarget> = {
  in: undefined extends StandardSchemaV1.InferInput<Schema>
    ? { [K in Target]?: InputOf<Schema, K> }
    : { [K in Target]: InputOf<Schema, K> }
  out: { [K in Target]: StandardSchemaV1.InferOutput<Schema> }
}

/**
 * Validates one part of the request with any Standard Schema (Zod, Valibot, ArkType …) and hands the result to
 * `c.req.valid(target)`, typed. A fault is thrown as `validation-failed` (422) with a JSON Pointer for each field;
 * a body of another content type as `unsupported-media-type` (415), one that is not JSON as `malformed-json` (400).
 *
 * @example
 * ```ts
 * app.post('/users', validate('json', z.object({ email: z.email() })), (c) => c.json(c.req.valid('json')))
 * ```
 */
export function validate<
  Schema extends StandardSchemaV1,
  Target extends ValidationTarget,
  E extends Env,
  P extends string,
  V extends Input = Validated<Schema, Target>,
>(target: Target, schema: Schema): MiddlewareHandler<E, P, V> {
  if (typeof schema?.['~standard']?.validate !== 'function') {
    throw new TypeError('validate needs a Standard Schema')
  }
  const read = validator(target, async (value: unknown) => {
    const result = await schema['~standard'].validate(value)
    if (result.issues) throw validationFailed(result.issues, target, value)
    return result.value
  })
  return async function validate(c, next): Promise<Response | undefined> {
    // Without this, Hono would validate `{}` in the place of a body it does not recognize.
    if (target === 'json' || target === 'form') requireMediaType(target, c.req.raw)
    return (await read(c as never, next)) as Response | undefined
  }
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i
const FORM_TYPE = /^(?:multipart\/form-data|application\/x-www-form-urlencoded)\s*(?:;|$)/i

function requireMediaType(target: 'json' | 'form', request: Request): void {
  const type = request.headers.get('content-type') ?? ''
  if (target === 'json' ? JSON_TYPE.test(type) : FORM_TYPE.test(type)) return
  if (type === '' && request.body === null) return // nothing at all: the schema decides
  const accepted =
    target === 'json' ? 'application/json' : 'multipart/form-data, application/x-www-form-urlencoded'
  throw new BreakwaterError('unsupported-media-type', {
    status: 415,
    detail: `The body must be ${accepted.replace(',', ' or')}.`,
    headers: { Accept: accepted },
  })
}

const MAX_FAULTS = 50

/**
 * The error for what a Standard Schema found wrong, for code that validates by itself.
 * @param input What was validated: messages that quote from it are stripped of the quotation.
 */
export function validationFailed(
  issues: readonly StandardSchemaV1.Issue[],
  target: ValidationTarget = 'json',
  input?: unknown,
): BreakwaterError {
  return new BreakwaterError('validation-failed', {
    status: 422,
    detail: `${issues.length === 1 ? 'One field is' : `${issues.length} fields are`} not valid.`,
    fields: issues.slice(0, MAX_FAULTS).map((issue) => {
      const path = (issue.path ?? []).map((step) => (typeof step === 'object' ? step.key : step))
      return {
        pointer: pointerTo(target, path),
        detail: withoutQuotation(issue.message, valueAt(input, path)),
      }
    }),
  })
}

function pointerTo(target: ValidationTarget, path: readonly PropertyKey[]): FieldFault['pointer'] {
  if (target === 'json' || target === 'form') {
    return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  }
  const name = path.length === 0 ? '' : String(path[0])
  return target === 'query' ? `?${name}` : `${target}:${name}`
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<PropertyKey, unknown>)[step]
  }
  return value
}

/** Some libraries quote what they received. It may be a password, and problem documents end up in logs. */
function withoutQuotation(message: string, value: unknown): string {
  let text = message.slice(0, 500)
  if (typeof value === 'string' && value !== '') {
    text = text.replaceAll(JSON.stringify(value), '"…"')
    if (value.length > 3) text = text.replaceAll(value, '…')
  }
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

import type { StandardSchemaV1 } from '@standard-schema/spec'

/** What is known about a variable beside how to parse it: for messages, tables, and the production rules. */
export interface VariableMeta {
  /** The vocabulary item (`url`, `secret` …), or the vendor of the schema library. */
  readonly kind: string
  /** What a good value is, after "Expected": `an http: or https: URL`. */
  readonly expected: string
  /**
   * Whether the value must never be shown and belongs in `wrangler secret put`. `undefined` means not known:
   * such a variable is never shown either, but may live in `[vars]`.
   */
  readonly secret?: boolean | undefined
  /** One sentence on what the variable is for. */
  readonly description?: string | undefined
  /** A value that shows the shape. Never a real one. */
  readonly example?: string | undefined
  /** Whether it may be left out. */
  readonly optional?: boolean
  /** What it is when left out, as text. */
  readonly fallback?: string
  /** Secrets: the least length in UTF-8 bytes; production falls back to 32. */
  readonly minBytes?: number | undefined
  /** Database URLs: whether production insists on a pooled address. */
  readonly pooled?: boolean
}

/** What every item of the vocabulary can be told. */
export interface VariableOptions {
  /** One sentence on what the variable is for; shown in the printed table. */
  readonly description?: string
  /** A value that shows the shape; shown in the printed table and in errors. Never a real one. */
  readonly example?: string
  /** Whether the value is a secret. Default: what the item says of itself. */
  readonly secret?: boolean
}

/** A variable: a Standard Schema that also knows how to be described. */
export interface Variable<Output, Input = string> extends StandardSchemaV1<Input, Output> {
  readonly meta: VariableMeta
  /** The same, but it may be left out; its value is then `undefined`. */
  optional(): Variable<Output | undefined, Input | undefined>
  /**
   * The same, but left out it takes `value`.
   * @throws TypeError for a secret: a secret in the source is no secret.
   */
  default(value: Output): Variable<Output, Input | undefined>
}

/**
 * A variable of your own kind, with the same `optional()` and `default()` as the built-in ones.
 *
 * `parse` is given what is there, never an absent value, and returns `undefined` for what it does not take; the
 * error then says what was expected.
 */
export function variable<Output, Input = string>(
  meta: VariableMeta,
  parse: (value: unknown) => Output | undefined,
): Variable<Output, Input> {
  function make<O, I>(extra: Partial<VariableMeta>, absent?: { readonly value: O }): Variable<O | Output, I> {
    const fault = { issues: [{ message: `is not ${meta.expected}` }] }
    return {
      meta: { ...meta, ...extra },
      '~standard': {
        version: 1,
        vendor: 'breakwater',
        validate(raw) {
          if (isAbsent(raw)) return absent ?? fault
          const value = parse(raw)
          return value === undefined ? fault : { value }
        },
      },
      optional: () => make({ optional: true }, { value: undefined }),
      default(value) {
        if (meta.secret) throw new TypeError('A secret has no default')
        return make({ optional: true, fallback: String(value) }, { value })
      },
    }
  }
  return make<Output, Input>({})
}

/** Whether a raw value counts as not set: also empty text, and nothing but white space. */
export function isAbsent(raw: unknown): boolean {
  return raw === undefined || raw === null || (typeof raw === 'string' && !raw.trim())
}

/** What is known about the variable of a schema. */
export function metaOf(schema: StandardSchemaV1): VariableMeta {
  const { vendor } = schema['~standard']
  const { meta } = schema as { readonly meta?: VariableMeta }
  // Other libraries have something else of that name.
  return typeof meta?.kind === 'string' ? meta : { kind: vendor, expected: `what its ${vendor} schema takes` }
}

/**
 * Tells a schema of any Standard Schema library what its variable is for, and whether it is secret.
 * Its own messages are shown only with `secret: false`, since many libraries repeat the input in them.
 *
 * @example
 * ```ts
 * LOG_LEVEL: describe(z.enum(['debug', 'info']).default('info'), { secret: false, description: 'What is logged' })
 * ```
 */
export function describe<S extends StandardSchemaV1>(
  schema: S,
  options: VariableOptions & { readonly expected?: string; readonly minBytes?: number },
): S & { readonly meta: VariableMeta } {
  return { '~standard': schema['~standard'], meta: { ...metaOf(schema), ...options } } as unknown as S & {
    readonly meta: VariableMeta
  }
}

/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>

declare const described: unique symbol

/** A JSON Schema of values of type `T`: what TypeScript knows of an answer and what the document says of it are one. */
export interface Schema<T> {
  readonly json: JsonSchema
  /** Only a type. Takes and gives `T`, so that a schema of more or of less than `T` does not pass for one of it. */
  readonly [described]?: (value: T) => T
}

type TypeOf<S> = S extends Schema<infer T> ? T : never
type Flat<T> = { [K in keyof T]: T[K] }

const of = <T>(json: JsonSchema): Schema<T> => ({ json })

/** A text. */
export const string = (description?: string): Schema<string> =>
  of({ type: 'string', ...(description !== undefined && { description }) })

/** A moment, as RFC 3339 writes it. */
export const time = (description?: string): Schema<string> =>
  of({ type: 'string', format: 'date-time', ...(description !== undefined && { description }) })

/** A UUID. */
export const uuid = (): Schema<string> => of({ type: 'string', format: 'uuid' })

/** A whole number, not negative. */
export const count = (description?: string): Schema<number> =>
  of({ type: 'integer', minimum: 0, ...(description !== undefined && { description }) })

/** Yes or no. */
export const boolean = (): Schema<boolean> => of({ type: 'boolean' })

/** One of these texts. */
export const oneOf = <const T extends string>(...values: readonly [T, ...T[]]): Schema<T> =>
  of(values.length === 1 ? { const: values[0] } : { type: 'string', enum: values })

/** Null. */
export const none = (): Schema<null> => of({ type: 'null' })

/** A text, or null where nothing is known. */
export const stringOrNull = (description?: string): Schema<string | null> =>
  of({ type: ['string', 'null'], ...(description !== undefined && { description }) })

/** A list. */
export const list = <T>(items: Schema<T>): Schema<T[]> => of({ type: 'array', items: items.json })

/** Either. */
export const anyOf = <A, B>(a: Schema<A>, b: Schema<B>): Schema<A | B> => of({ anyOf: [a.json, b.json] })

type Always<R> = { -readonly [K in keyof R]: TypeOf<R[K]> }
type Sometimes<O> = { -readonly [K in keyof O]?: TypeOf<O[K]> }

/** An object of these members and, maybe, those. */
export function object<R extends object>(required: R): Schema<NoInfer<Always<R>>>
export function object<R extends object, O extends object>(
  required: R,
  optional: O,
): Schema<NoInfer<Flat<Always<R> & Sometimes<O>>>>
export function object(required: object, optional: object = {}): unknown {
  const members = Object.entries({ ...required, ...optional } as Readonly<Record<string, Schema<unknown>>>)
  const properties = Object.fromEntries(members.map(([name, { json }]) => [name, json]))
  return { json: { type: 'object', properties, required: Object.keys(required) } }
}

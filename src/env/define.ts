import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Binding, bindingFault, bindingStanza } from './bindings.ts'
import { EnvironmentError, type EnvProblem, type EnvProblemCode } from './errors.ts'
import { productionFaults } from './production.ts'
import { isAbsent, metaOf, type VariableMeta } from './variable.ts'
import { splitSecrets } from './vocabulary.ts'

/** The variables of a definition: a vocabulary item or any Standard Schema, by name. */
export type Variables = Readonly<Record<string, StandardSchemaV1>>
/** The bindings of a definition, by name. */
export type BindingDeclarations = Readonly<Record<string, Binding<unknown>>>

type Simplify<T> = { -readonly [K in keyof T]: T[K] } & {}
type MaybeAbsent<T> = { [K in keyof T]: undefined extends T[K] ? K : never }[keyof T]
type AbsentOptional<T> = Simplify<
  Omit<T, MaybeAbsent<T>> & { [K in MaybeAbsent<T>]?: Exclude<T[K], undefined> }
>
// A schema that takes anything (`z.coerce.number()`) still gets what Workers have: text.
type Raw<S extends StandardSchemaV1> =
  unknown extends StandardSchemaV1.InferInput<S> ? string : StandardSchemaV1.InferInput<S>
type Bound<B extends BindingDeclarations> = { [K in keyof B]: B[K] extends Binding<infer T> ? T : never }

/** What {@link EnvDefinition.load} returns: parsed variables and bindings, side by side. */
export type LoadedEnv<V extends Variables, B extends BindingDeclarations> = Readonly<
  Simplify<{ [K in keyof V]: StandardSchemaV1.InferOutput<V[K]> } & Bound<B>>
>

/** The raw environment of a definition, as `c.env` has it. Usable as Hono's `Bindings`. */
export type InferBindings<D> =
  D extends EnvDefinition<infer V, infer B> ? AbsentOptional<{ [K in keyof V]: Raw<V[K]> } & Bound<B>> : never

/** The parsed environment of a definition, as `load()` returns it. */
export type InferEnv<D> = D extends EnvDefinition<infer V, infer B> ? LoadedEnv<V, B> : never

/** What production refuses beyond what the schemas say. */
export interface ProductionOptions<Name extends string = string> {
  /**
   * Whether this environment is production.
   * Default: whether `ENVIRONMENT` is `production` (or `prod`, or `live`; any case).
   */
  readonly when?: (source: Readonly<Record<string, unknown>>) => boolean
  /** Rules not applied to a variable, by their code, such as `{ CALLBACK: ['insecure-url'], RELEASE: ['no-release'] }`. */
  readonly allow?: { readonly [K in Name | 'RELEASE']?: readonly EnvProblemCode[] }
}

/** What {@link defineEnv} takes. */
export interface EnvOptions<V extends Variables, B extends BindingDeclarations> {
  /** Variables and secrets, by name. */
  readonly vars?: V
  /** Bindings, by name. */
  readonly bindings?: B
  /** What counts as production, and exceptions there. `false` turns the production rules off. */
  readonly production?: ProductionOptions<NoInfer<keyof V & string>> | false
}

/** A declared environment. Holds no value of it. */
export interface EnvDefinition<V extends Variables, B extends BindingDeclarations> {
  readonly vars: V
  readonly bindings: B
  /**
   * The parsed environment, frozen. An absent variable takes its default or is `undefined`. Remembered per
   * source object, so that asking again costs nothing.
   * @throws EnvironmentError listing every problem.
   */
  load(source: object | undefined): LoadedEnv<V, B>
  /** Every problem, without throwing. `only: 'vars'` leaves out bindings and the release, as for a `.dev.vars` file. */
  check(source: object | undefined, only?: 'vars'): readonly EnvProblem[]
}

/** How a variable is set. */
export function howToSet(name: string, { kind, secret, example = '…' }: Partial<VariableMeta>): string {
  const random = kind === 'rotatingSecret' ? 'openssl rand -base64 32 | ' : ''
  return [
    secret === false ? '' : `${random}wrangler secret put ${name}`,
    secret ? '' : `wrangler.toml: [vars] ${name} = "${example}"`,
  ]
    .filter(Boolean)
    .join(', or ')
}

const ignore = (): void => {}
const NO_RESULT: StandardSchemaV1.FailureResult = { issues: [{ message: 'makes its schema throw' }] }

function isNamedProduction({ ENVIRONMENT: name }: Readonly<Record<string, unknown>>): boolean {
  return typeof name === 'string' && /^(prod(uction)?|live)$/i.test(name.trim())
}

/** Every text inside a value, for rules that look at texts. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : []
}

/**
 * Declares what a Worker needs in its environment: variables, secrets and bindings.
 *
 * Nothing is read until `load(env)`. Call that at module scope, with the environment of `cloudflare:workers`:
 * a deploy with a bad configuration then fails before it takes traffic. Every problem is reported at once,
 * with how to put it right, and never with a value. In production it also refuses what belongs to development:
 * local addresses, test keys, placeholders, weak or shared secrets, an unpooled database, a missing release.
 *
 * An empty text counts as absent, white space alone as a mistake. Schemas must be synchronous.
 *
 * @throws TypeError when the definition itself is wrong.
 * @example
 * ```ts
 * // worker/env.ts: imports nothing from cloudflare:workers, so that `npx breakwater env` can read it
 * export const environment = defineEnv({
 *   vars: { ENVIRONMENT: oneOf(['development', 'production']), SESSION_SECRET: rotatingSecret() },
 *   bindings: { UPLOADS: bindings.r2() },
 * })
 * export type Bindings = InferBindings<typeof environment>
 *
 * // worker/index.ts
 * import { env } from 'cloudflare:workers'
 * const config = environment.load(env)
 * ```
 */
export function defineEnv<
  const V extends Variables = Record<never, never>,
  const B extends BindingDeclarations = Record<never, never>,
>(options: EnvOptions<V, B>): EnvDefinition<V, B> {
  const { vars = {} as V, bindings = {} as B, production = {} } = options
  for (const [name, item] of [...Object.entries(vars), ...Object.entries(bindings)]) {
    const isFit =
      name in vars ? !(name in bindings) && (item as StandardSchemaV1)['~standard'] : 'kind' in item
    if (!isFit || !/^[A-Za-z_]\w*$/.test(name)) throw new TypeError(`defineEnv cannot take ${name}`)
  }
  const { allow = {}, when = isNamedProduction }: ProductionOptions = production || {}
  const seen = new WeakMap<object, { values: LoadedEnv<V, B>; problems: readonly EnvProblem[] }>()

  function examine(source: Readonly<Record<string, unknown>>, only?: 'vars') {
    const problems: EnvProblem[] = []
    const values: Record<string, unknown> = {}
    const isProduction = production !== false && when(source)
    const secrets = new Map<string, string>()

    for (const name of Object.keys(vars)) {
      const schema = vars[name] as StandardSchemaV1
      const meta = metaOf(schema)
      const raw = source[name]
      const absent = isAbsent(raw)
      const say = (code: EnvProblemCode, problem: string, expected?: string): void => {
        if (allow[name]?.includes(code)) return
        problems.push({ name, code, problem, ...(expected && { expected }), fix: howToSet(name, meta) })
      }
      let result: StandardSchemaV1.Result<unknown> | PromiseLike<unknown> = NO_RESULT
      try {
        result = schema['~standard'].validate(absent ? undefined : raw)
      } catch {
        // What it threw may well hold the value.
      }
      if ('then' in result) {
        result.then(ignore, ignore)
        say('async-schema', 'has an asynchronous schema: start-up cannot wait')
      } else if (!result.issues) values[name] = result.value
      else if (absent) say('missing', raw ? 'is only white space' : 'is not set', meta.expected)
      else {
        // Other libraries repeat the input in their messages; only those of a known non-secret may pass.
        const isOpen = schema['~standard'].vendor === 'breakwater' || meta.secret === false
        const why = isOpen
          ? result.issues.map((issue) => issue.message).join('; ')
          : `is not ${meta.expected}`
        say(
          'invalid',
          typeof raw === 'string' && raw !== raw.trim() ? `${why} (it has white space around it)` : why,
        )
      }
      if (!isProduction) continue
      const effective = absent
        ? values[name]
        : meta.kind === 'rotatingSecret'
          ? splitSecrets(String(raw))
          : raw
      for (const value of texts(effective)) {
        for (const [code, problem] of productionFaults(meta, value)) say(code, problem)
        if (!meta.secret || value.includes('://')) continue
        const other = secrets.get(value)
        if (other && other !== name) say('shared-secret', `is the same secret as ${other}`)
        secrets.set(value, name)
      }
    }
    if (only === 'vars') return { values: values as LoadedEnv<V, B>, problems }

    for (const name of Object.keys(bindings)) {
      const { kind, isOptional } = bindings[name] as Binding<unknown>
      const value = source[name]
      const problem = isOptional && isAbsent(value) ? undefined : bindingFault(value, kind)
      values[name] = value
      if (problem)
        problems.push({ name, code: 'binding', problem, fix: `wrangler.toml: ${bindingStanza(name, kind)}` })
    }
    const version = source['CF_VERSION_METADATA'] as { id?: unknown } | undefined
    if (isProduction && !version?.id && !source['RELEASE'] && !allow['RELEASE']?.includes('no-release')) {
      problems.push({
        name: 'RELEASE',
        code: 'no-release',
        problem: 'is not known',
        fix: `wrangler.toml: ${bindingStanza('CF_VERSION_METADATA', 'versionMetadata')}`,
      })
    }
    return { values: Object.freeze(values) as LoadedEnv<V, B>, problems }
  }

  return {
    vars,
    bindings,
    check: (source, only) => examine((source ?? {}) as Record<string, unknown>, only).problems,
    load(source = {}) {
      let result = seen.get(source)
      if (result === undefined) {
        result = examine(source as Record<string, unknown>)
        seen.set(source, result)
      }
      if (result.problems.length > 0) throw new EnvironmentError(result.problems)
      return result.values
    },
  }
}

/**
 * The environment, declared once: typed, checked at start-up, described in one table.
 * @module
 */
export { type Binding, type BindingKind, type BindingVocabulary, bindings } from './bindings.ts'
export {
  type BindingDeclarations,
  defineEnv,
  type EnvDefinition,
  type EnvOptions,
  type InferBindings,
  type InferEnv,
  type LoadedEnv,
  type ProductionOptions,
  type Variables,
} from './define.ts'
export { EnvironmentError, type EnvProblem, type EnvProblemCode } from './errors.ts'
export { type RequireEnvEnv, type RequireEnvOptions, requireEnv } from './middleware.ts'
export { describe, type Variable, type VariableMeta, type VariableOptions, variable } from './variable.ts'
export {
  boolean,
  duration,
  email,
  integer,
  oneOf,
  origin,
  postgresUrl,
  rotatingSecret,
  type Secret,
  type SecretOptions,
  secret,
  sentryDsn,
  text,
  url,
} from './vocabulary.ts'

import type { MiddlewareHandler } from 'hono'
import { BreakwaterError } from '../core/errors.ts'
import type { BindingDeclarations, EnvDefinition, InferBindings, LoadedEnv, Variables } from './define.ts'

/** What {@link requireEnv} adds to Hono's context. */
export interface RequireEnvEnv<V extends Variables, B extends BindingDeclarations> {
  Bindings: InferBindings<EnvDefinition<V, B>>
  Variables: {
    /** The parsed environment. */
    env: LoadedEnv<V, B>
  }
}

/** What {@link requireEnv} takes. */
export interface RequireEnvOptions<V extends Variables, B extends BindingDeclarations> {
  /** What `defineEnv` returned. */
  readonly definition: EnvDefinition<V, B>
}

/**
 * Puts the parsed environment on the context as `c.var.env`, and answers 500 `misconfigured` when it is not fit
 * to run, with the `EnvironmentError` as cause. The environment is examined once per isolate.
 *
 * It is for runtimes where the environment is not known at module scope, and for whoever likes `c.var.env`; where
 * it is known, `definition.load(env)` at module scope refuses a bad deploy earlier.
 */
export function requireEnv<V extends Variables, B extends BindingDeclarations>(
  options: RequireEnvOptions<V, B>,
): MiddlewareHandler<RequireEnvEnv<V, B>> {
  const { definition } = options
  if (typeof definition?.load !== 'function') {
    throw new TypeError('requireEnv: definition is what defineEnv() returns')
  }
  return async function requireEnv(c, next) {
    try {
      c.set('env', definition.load(c.env as object | undefined))
    } catch (cause) {
      throw new BreakwaterError('misconfigured', {
        status: 500,
        detail: 'The service is not configured correctly.',
        cause,
      })
    }
    await next()
  }
}

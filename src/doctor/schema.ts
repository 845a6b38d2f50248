import { existsSync } from 'node:fs'
import * as module from 'node:module'
import { extname, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type CriticalQuery, criticalQueries } from '../db/index.ts'
import type { AnyEnvDefinition } from './check.ts'

/** Where a project declares its environment unless it says otherwise. */
export const DEFAULT_SCHEMA = 'worker/env.ts'

/** The environment of a project could not be read; the message says why and what to do. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

function isDefinition(value: unknown): value is AnyEnvDefinition {
  const { load, check, vars } = (value ?? {}) as Partial<AnyEnvDefinition>
  return typeof load === 'function' && typeof check === 'function' && typeof vars === 'object'
}

async function load(
  root: string,
  path: string,
  advice: string,
): Promise<{ shown: string; exports: Record<string, unknown> }> {
  const file = resolve(root, path)
  const shown = relative(root, file)
  if (!existsSync(file)) throw new SchemaError(`${shown} does not exist: ${advice}`)
  const hooks = registerResolver()
  try {
    return { shown, exports: (await import(pathToFileURL(file).href)) as Record<string, unknown> }
  } catch (error) {
    throw new SchemaError(`${shown} cannot be imported: ${error instanceof Error ? error.message : error}`)
  } finally {
    hooks?.deregister()
  }
}

/**
 * Imports the module that declares a project's queries with `critical`, or imports those that do. It runs here, on Node.
 *
 * @param root The project's folder.
 * @param path The module, relative to it.
 * @throws SchemaError
 */
export async function loadQueries(root: string, path: string): Promise<readonly CriticalQuery[]> {
  const { shown } = await load(root, path, 'name the module that declares queries with --queries')
  const found = criticalQueries()
  if (found.length === 0) throw new SchemaError(`${shown} declares no query with critical()`)
  return found
}

/**
 * Imports the module that declares a project's environment, and finds the definition among its exports.
 * The module runs here, on Node, so it must import nothing of the Workers runtime.
 *
 * @param root The project's folder.
 * @param path The module, relative to it.
 * @throws SchemaError
 */
export async function loadDefinition(root: string, path: string = DEFAULT_SCHEMA): Promise<AnyEnvDefinition> {
  const { shown, exports } = await load(root, path, 'name the module that calls defineEnv with --schema')
  const found = Object.values(exports).filter(isDefinition)
  const [definition] = new Set(found)
  if (definition === undefined) throw new SchemaError(`${shown} exports nothing that defineEnv made`)
  if (new Set(found).size > 1) throw new SchemaError(`${shown} exports more than one environment`)
  return definition
}

/**
 * Projects are written for bundlers, so Node needs help: relative imports without an ending, and this package
 * by its name, which is this very copy.
 */
function registerResolver(): { deregister(): void } | undefined {
  const { registerHooks } = module as Partial<typeof module>
  const own = /^breakwater(?:\/(.+))?$/
  const ending = extname(import.meta.url)
  return registerHooks?.({
    resolve(specifier, context, next) {
      if (specifier.startsWith('cloudflare:')) {
        throw new Error(
          `it imports ${specifier}, which only Workers have; declare the environment in a module of its own`,
        )
      }
      const subpath = own.exec(specifier)
      if (subpath) {
        const path = subpath[1]
        const files = path === undefined ? ['index'] : [`${path}/index`, path]
        const file = files
          .map((name) => new URL(`../${name}${ending}`, import.meta.url).href)
          .find((candidate) => existsSync(fileURLToPath(candidate)))
        if (file) return next(file, context)
      }
      try {
        return next(specifier, context)
      } catch (error) {
        if (!/^\.{0,2}\//.test(specifier)) throw error
        for (const candidate of [
          `${specifier}.ts`,
          `${specifier}/index.ts`,
          specifier.replace(/\.js$/, '.ts'),
        ]) {
          try {
            return next(candidate, context)
          } catch {}
        }
        throw error
      }
    },
  })
}

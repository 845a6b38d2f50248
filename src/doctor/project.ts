import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Project } from './check.ts'
import { liveDatabase } from './database.ts'
import { liveSite } from './live.ts'
import { DEFAULT_SCHEMA, loadDefinition, loadQueries, SchemaError } from './schema.ts'
import { readWrangler } from './wrangler.ts'

/** What the doctor is asked to look at. */
export interface ProjectOptions {
  /** The project's folder. Default: the current one. */
  readonly root?: string
  /**
   * The environment of wrangler.toml. Default: `production` where there is one of that name, else the top level.
   */
  readonly environment?: string
  /** Where the Worker is deployed; without it nothing is asked over the network. */
  readonly url?: string
  /** The direct address of the database; without it none is looked at. */
  readonly database?: string
  /** The address that the Worker uses, to see whether it goes through the pooler. */
  readonly pooled?: string
  /** The module that declares the environment. Default `worker/env.ts`, where there is one. */
  readonly schema?: string
  /** The module that declares queries with `critical`; without it none is looked at. */
  readonly queries?: string
}

/** The options make no sense for this project; the message says why. */
export class ProjectError extends Error {
  override readonly name = 'ProjectError'
}

/**
 * Reads what checks look at.
 * @throws ProjectError when a file cannot be read, or an environment, a schema or a URL that was asked for cannot be had.
 */
export async function readProject(options: ProjectOptions = {}): Promise<Project> {
  const { root = process.cwd(), url } = options
  const wrangler = orProjectError(() => readWrangler(root))
  if (options.environment !== undefined && !wrangler?.environments.includes(options.environment)) {
    throw new ProjectError(
      `${wrangler?.file ?? 'wrangler.toml'} has no [env.${options.environment}]; it has ${wrangler?.environments.join(', ') || 'none'}`,
    )
  }
  const hasProduction = wrangler?.environments.includes('production')
  const environment = options.environment ?? (hasProduction ? 'production' : undefined)

  let definition: Project['definition'] = `there is no ${DEFAULT_SCHEMA}; name the schema with --schema`
  if (options.schema !== undefined || existsSync(join(root, DEFAULT_SCHEMA))) {
    try {
      definition = await loadDefinition(root, options.schema)
    } catch (error) {
      throw error instanceof SchemaError ? new ProjectError(error.message) : error
    }
  }
  let site: Project['site'] = 'give the address of the deployed Worker with --url'
  if (url !== undefined) {
    site = orProjectError(() => liveSite(url))
  }
  const { database, pooled } = options
  let queries: Project['queries'] = 'name the module that declares queries with --queries'
  if (options.queries !== undefined) {
    queries = await loadQueries(root, options.queries).catch((error: unknown) => {
      throw error instanceof SchemaError ? new ProjectError(error.message) : error
    })
  }
  const declared = typeof queries === 'string' ? [] : queries
  return {
    ...(database !== undefined && {
      database: orProjectError(() => liveDatabase(database, pooled, declared)),
    }),
    queries,
    root,
    environment,
    wrangler: wrangler ?? 'there is no wrangler.toml, wrangler.json or wrangler.jsonc',
    definition,
    site,
    now: Date.now(),
    git(...args) {
      const { status, stdout, error } = spawnSync('git', args, { cwd: root, encoding: 'utf8' })
      return error || status === null ? undefined : { code: status, stdout }
    },
  }
}

function orProjectError<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new ProjectError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * Ids that package.json silences: `"breakwater": { "doctor": { "silence": ["HTTP-20"] } }`.
 * @throws ProjectError when it is not a list of texts.
 */
export function readSilence(root: string = process.cwd()): readonly string[] {
  const path = join(root, 'package.json')
  if (!existsSync(path)) return []
  let silence: unknown
  try {
    silence = JSON.parse(readFileSync(path, 'utf8'))?.breakwater?.doctor?.silence
  } catch {
    throw new ProjectError('package.json cannot be parsed')
  }
  if (silence === undefined) return []
  if (!Array.isArray(silence) || !silence.every((id) => typeof id === 'string')) {
    throw new ProjectError('breakwater.doctor.silence in package.json must be a list of check ids')
  }
  return silence
}

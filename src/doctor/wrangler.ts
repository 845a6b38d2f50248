import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import type { BindingKind } from '../env/bindings.ts'
import { parseJsonc } from './jsonc.ts'

/** A table of the configuration. */
export type Table = Readonly<Record<string, unknown>>

/** A Worker's configuration file. */
export interface WranglerConfig {
  /** The file's name, for messages. */
  readonly file: string
  readonly top: Table
  /** Names of the `[env.*]` tables. */
  readonly environments: readonly string[]
}

/** The settings of one environment, inheritance applied. */
export interface Environment {
  /** Undefined for the top level. */
  readonly name: string | undefined
  readonly settings: Table
}

/** A binding as it is written in the configuration. */
export interface WrittenBinding {
  readonly name: string
  /** Its table, such as `r2_buckets`. */
  readonly table: string
}

// What wrangler does not hand down to an environment, and the key that names a binding there.
const NOT_INHERITED: Readonly<Record<string, string>> = {
  'durable_objects.bindings': 'name',
  kv_namespaces: 'binding',
  r2_buckets: 'binding',
  d1_databases: 'binding',
  'queues.producers': 'binding',
  hyperdrive: 'binding',
  services: 'binding',
  ratelimits: 'name',
  secrets_store_secrets: 'binding',
  version_metadata: 'binding',
  vectorize: 'binding',
  analytics_engine_datasets: 'binding',
  send_email: 'name',
  workflows: 'binding',
  browser: 'binding',
  ai: 'binding',
  images: 'binding',
  mtls_certificates: 'binding',
  dispatch_namespaces: 'binding',
  pipelines: 'binding',
}
const OTHERS_NOT_INHERITED = ['vars', 'secrets', 'define', 'tail_consumers', 'queues', 'durable_objects']

/** The table of wrangler.toml where each kind of binding is written. */
export const tableOfKind: Readonly<Record<BindingKind, string>> = {
  r2: 'r2_buckets',
  queue: 'queues.producers',
  kv: 'kv_namespaces',
  durableObject: 'durable_objects.bindings',
  hyperdrive: 'hyperdrive',
  rateLimiter: 'ratelimits',
  assets: 'assets',
  secretsStore: 'secrets_store_secrets',
  versionMetadata: 'version_metadata',
  service: 'services',
  d1: 'd1_databases',
  images: 'images',
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands at a dotted path; undefined when a step is missing. */
export function at(table: Table, path: string): unknown {
  return path.split('.').reduce<unknown>((here, key) => (isTable(here) ? here[key] : undefined), table)
}

/** The tables at a path, whether it is one or a list of them. */
export function tablesAt(table: Table, path: string): readonly Table[] {
  const value = at(table, path)
  return (Array.isArray(value) ? value : [value]).filter(isTable)
}

/**
 * Reads the configuration of a Worker: `wrangler.json`, `wrangler.jsonc` or `wrangler.toml`, in wrangler's order.
 * @throws Error when it cannot be parsed, naming file and place.
 */
export function readWrangler(root: string): WranglerConfig | undefined {
  const path = ['wrangler.json', 'wrangler.jsonc', 'wrangler.toml']
    .map((name) => join(root, name))
    .find((candidate) => existsSync(candidate))
  return path === undefined ? undefined : parseWrangler(basename(path), readFileSync(path, 'utf8'))
}

/**
 * Parses the text of a configuration file; the name's ending decides how.
 * @throws Error when it cannot be parsed, naming file and place.
 */
export function parseWrangler(file: string, text: string): WranglerConfig {
  let top: unknown
  try {
    top = file.endsWith('.toml') ? parseToml(text) : parseJsonc(text)
  } catch (error) {
    // The parser's first line says where; those that follow quote the file, secrets and all.
    const reason =
      error instanceof Error ? (error.message.split('\n')[0] ?? '').replace(/,? ?"[\s\S]*$/, '') : ''
    const line = (error as { line?: unknown }).line
    throw new Error(
      `${file} cannot be parsed: ${reason}${typeof line === 'number' ? ` in line ${line}` : ''}`,
    )
  }
  if (!isTable(top)) throw new Error(`${file} holds no table`)
  const environments = isTable(top['env']) ? Object.keys(top['env']) : []
  return { file, top, environments }
}

/** One environment, or the top level, with what it inherits. Bindings, vars and secrets are not inherited. */
export function environmentOf(config: WranglerConfig, name?: string): Environment {
  const { env: _, ...top } = config.top
  if (name === undefined) return { name, settings: top }
  const own = tablesAt(config.top, `env.${name}`)[0] ?? {}
  const dropped = new Set([...OTHERS_NOT_INHERITED, ...Object.keys(NOT_INHERITED)])
  const inherited = Object.fromEntries(Object.entries(top).filter(([key]) => !dropped.has(key)))
  return { name, settings: { ...inherited, ...own } }
}

/** Every environment of the configuration; the top level first. */
export function everyEnvironment(config: WranglerConfig): readonly Environment[] {
  return [undefined, ...config.environments].map((name) => environmentOf(config, name))
}

/** Bindings in the settings of an environment, of the kinds that are not inherited, and static assets. */
export function bindingsOf(settings: Table): readonly WrittenBinding[] {
  return Object.entries({ ...NOT_INHERITED, assets: 'binding' }).flatMap(([table, key]) =>
    tablesAt(settings, table).flatMap((row) =>
      typeof row[key] === 'string' ? [{ name: row[key], table }] : [],
    ),
  )
}

/** The plain variables of an environment. */
export function varsOf(settings: Table): Table {
  const vars = settings['vars']
  return isTable(vars) ? vars : {}
}

/** The names under `[secrets] required`. */
export function requiredSecretsOf(settings: Table): readonly string[] {
  const names = at(settings, 'secrets.required')
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []
}

/** How to speak of a table in an environment: `[vars]`, `[env.production.vars]`. */
export function tableName(environment: string | undefined, table: string, isList = false): string {
  const path = environment === undefined ? table : `env.${environment}.${table}`
  return isList ? `[[${path}]]` : `[${path}]`
}

/** How to speak of an environment. */
export function environmentName(name: string | undefined): string {
  return name === undefined ? 'the top level' : `env.${name}`
}

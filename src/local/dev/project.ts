import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'smol-toml'
import { LocalError } from './errors.ts'

/** The wrangler configuration of a project. */
export function findConfig(dir: string, config: string | undefined): string {
  if (config !== undefined) {
    const path = resolve(dir, config)
    if (existsSync(path)) return path
    throw new LocalError(`There is no wrangler configuration at ${path}.`)
  }
  for (const name of ['wrangler.json', 'wrangler.jsonc', 'wrangler.toml']) {
    if (existsSync(join(dir, name))) return join(dir, name)
  }
  throw new LocalError(
    `${dir} has no wrangler.toml, wrangler.jsonc or wrangler.json: run in a project's folder, or with --no-worker.`,
  )
}

interface Configuration {
  readonly triggers?: { readonly crons?: unknown }
  readonly r2_buckets?: readonly {
    readonly bucket_name?: unknown
    readonly local_dev?: { readonly experimental_s3_credentials?: Readonly<Record<string, unknown>> }
  }[]
}

/** A wrangler configuration; empty when it cannot be read, which wrangler will tell about. */
function read(config: string): Configuration {
  try {
    const text = readFileSync(config, 'utf8')
    const parsed: unknown = config.endsWith('.toml') ? parse(text) : JSON.parse(withoutComments(text))
    return (parsed as Configuration | null) ?? {}
  } catch {
    return {}
  }
}

/** The cron expressions in a wrangler configuration. */
export function cronsOf(config: string): string[] {
  const crons = read(config).triggers?.crons
  return Array.isArray(crons) ? crons.filter((cron) => typeof cron === 'string') : []
}

/**
 * Variables by which a worker reaches the S3 API of its first bucket that `wrangler dev` serves one for: those with
 * `local_dev.experimental_s3_credentials`, which stand in the configuration and are no secret. None where there is no
 * such bucket.
 */
export function bucketVars(config: string, origin: string): Record<string, string> {
  const buckets = read(config).r2_buckets
  for (const { bucket_name: name, local_dev } of Array.isArray(buckets) ? buckets : []) {
    const { accessKeyId, secretAccessKey } = local_dev?.experimental_s3_credentials ?? {}
    if (![name, accessKeyId, secretAccessKey].every((value) => typeof value === 'string')) continue
    return {
      R2_ENDPOINT: `${origin}/cdn-cgi/local/r2/s3`,
      R2_BUCKET: String(name),
      R2_ACCESS_KEY_ID: String(accessKeyId),
      R2_SECRET_ACCESS_KEY: String(secretAccessKey),
    }
  }
  return {}
}

/** JSON out of JSON with comments and commas at the end. */
function withoutComments(text: string): string {
  return text
    .replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, string) => string ?? '')
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, string) => string ?? '')
}

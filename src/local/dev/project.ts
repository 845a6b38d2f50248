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

/** The cron expressions in a wrangler configuration; none when it cannot be read, which wrangler will tell about. */
export function cronsOf(config: string): string[] {
  try {
    const text = readFileSync(config, 'utf8')
    const parsed: unknown = config.endsWith('.toml') ? parse(text) : JSON.parse(withoutComments(text))
    const triggers = (parsed as { triggers?: { crons?: unknown } } | null)?.triggers
    return Array.isArray(triggers?.crons) ? triggers.crons.filter((cron) => typeof cron === 'string') : []
  } catch {
    return []
  }
}

/** JSON out of JSON with comments and commas at the end. */
function withoutComments(text: string): string {
  return text
    .replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, string) => string ?? '')
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, string) => string ?? '')
}

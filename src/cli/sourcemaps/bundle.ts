import { createHash } from 'node:crypto'
import { CommandFailed } from '../command.ts'
import type { Script } from './scripts.ts'
import { type ZipEntry, zip } from './zip.ts'

/** What a bundle says of itself. */
export interface BundleOptions {
  readonly organization: string
  readonly project: string
  readonly release?: string
}

// The header of Sentry's source bundles: a magic word and the version of the format.
const HEADER = Buffer.from([0x53, 0x59, 0x53, 0x42, 2, 0, 0, 0])

/**
 * An artifact bundle as Sentry keeps them: an archive of scripts and source maps, and a manifest that says which is which
 * by debug id.
 * @throws {CommandFailed} when a script has none.
 */
export function artifactBundle(scripts: readonly Script[], options: BundleOptions): Buffer {
  const entries: ZipEntry[] = []
  const files: Record<string, unknown> = {}
  const add = (name: string, type: string, text: string, headers: Record<string, string>): void => {
    let path = `_/_/${name}`
    for (let n = 2; path in files; n++) path = `_/_/${n}/${name}`
    files[path] = { type, url: `~/${name}`, headers }
    entries.push({ name: path, bytes: Buffer.from(text) })
  }
  for (const { name, path, code, map, mapName, debugId } of scripts) {
    if (debugId === undefined)
      throw new CommandFailed(`${path} has no debug id: run breakwater sourcemaps inject first.`)
    add(name, 'minified_source', code, { 'debug-id': debugId, sourcemap: mapName })
    add(`${name}.map`, 'source_map', JSON.stringify(map), { 'debug-id': debugId })
  }
  const ids = scripts.map(({ debugId }) => debugId).sort()
  const hex = createHash('sha256').update(ids.join()).digest('hex')
  const { organization: org, project, release } = options
  const manifest = {
    // Of the bundle itself: what is uploaded again takes the place of what was.
    debug_id: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
    org,
    project,
    ...(release !== undefined && { release }),
    files,
  }
  entries.push({ name: 'manifest.json', bytes: Buffer.from(JSON.stringify(manifest)) })
  return zip(entries, HEADER)
}

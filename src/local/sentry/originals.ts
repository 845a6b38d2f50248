import { readFileSync, statSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Artifacts } from './api/artifacts.ts'
import { at, exceptionsOf, list, numberAt, textAt } from './record.ts'

/** Where a frame comes from, before it was bundled. */
export interface Original {
  readonly filename: string
  /** From 1. */
  readonly lineno: number
  /** From 1. */
  readonly colno: number
  /** Lines around it, when the source map has them: the first one's number, and the lines. */
  readonly context?: { readonly from: number; readonly lines: readonly string[] }
}

const AROUND = 3
/** A large worker's map takes a tenth of a second to read, and is asked for again with the next event. */
const MOST_KEPT = 6

interface Loaded {
  readonly map: SourceMap
  readonly payload: SourceMapPayload
  readonly folder: string | undefined
}

/**
 * Finds the original lines of stacks: by debug id among the uploaded bundles, and for scripts of this machine by the source
 * map that lies beside them.
 */
export class Originals {
  readonly #artifacts: Artifacts
  readonly #sources: string | undefined
  readonly #loaded = new Map<string, Loaded | undefined>()

  /** @param sources the project's folder: scripts below it may be looked at. Default: none. */
  constructor(artifacts: Artifacts, sources?: string) {
    this.#artifacts = artifacts
    this.#sources = sources === undefined ? undefined : resolve(sources)
  }

  /** For each exception of an event, for each of its frames; undefined when nothing is known of any. */
  of(event: unknown): (Original | null)[][] | undefined {
    const ids = new Map<string, string>()
    for (const image of list(at(at(event, 'debug_meta'), 'images'))) {
      const [file, id] = [textAt(image, 'code_file'), textAt(image, 'debug_id')]
      if (file !== undefined && id !== undefined) ids.set(file, id)
    }
    let any = false
    const found = exceptionsOf(event).map(({ frames }) =>
      frames.map((frame) => {
        const original = this.#frame(frame, ids)
        any ||= original !== null
        return original
      }),
    )
    return any ? found : undefined
  }

  #frame(frame: unknown, ids: ReadonlyMap<string, string>): Original | null {
    const [line, column] = [numberAt(frame, 'lineno'), numberAt(frame, 'colno')]
    if (line === undefined || column === undefined) return null
    const names = [textAt(frame, 'abs_path'), textAt(frame, 'filename')].flatMap((name) => name ?? [])
    for (const name of names) {
      const id = ids.get(name)
      const loaded = (id === undefined ? undefined : this.#byId(id)) ?? this.#beside(name)
      const original = loaded && this.#look(loaded, line, column)
      if (original) return original
    }
    return null
  }

  #look({ map, payload, folder }: Loaded, line: number, column: number): Original | undefined {
    const entry = map.findEntry(line - 1, column - 1)
    if (!('originalSource' in entry) || entry.originalSource === undefined) return undefined
    const { originalSource, originalLine, originalColumn } = entry
    const content = payload.sourcesContent?.[payload.sources.indexOf(originalSource)]
    const from = Math.max(0, originalLine - AROUND)
    const lines = content?.split('\n').slice(from, originalLine + AROUND + 1)
    return {
      filename: folder === undefined ? originalSource : this.#short(resolve(folder, originalSource)),
      lineno: originalLine + 1,
      colno: originalColumn + 1,
      ...(lines &&
        lines.length > 0 && { context: { from: from + 1, lines: lines.map((text) => text.slice(0, 300)) } }),
    }
  }

  #short(path: string): string {
    const inside = relative(this.#sources ?? '', path)
    return inside.startsWith('..') ? path : inside.replaceAll(sep, '/')
  }

  #byId(id: string): Loaded | undefined {
    return this.#load(id, () => {
      const text = this.#artifacts.sourceMap(id)
      return text === undefined ? undefined : { text, folder: undefined }
    })
  }

  /** Events come from anywhere: only scripts of the project are looked at, and only for their source map. */
  #beside(name: string): Loaded | undefined {
    if (this.#sources === undefined || !/\.[cm]?js$/.test(name)) return undefined
    const path = name.startsWith('file://') ? fileURLToPath(name) : name
    if (!isAbsolute(path)) return undefined
    const real = resolve(path)
    if (!real.startsWith(this.#sources + sep)) return undefined
    const stats = statSync(real, { throwIfNoEntry: false })
    if (!stats?.isFile()) return undefined
    return this.#load(`${real}@${stats.mtimeMs}`, () => {
      const code = readFileSync(real, 'utf8')
      const url = /\n\/\/[#@] sourceMappingURL=(\S+)\s*$/.exec(code.slice(-2000))?.[1]
      if (url === undefined || /^[a-z]+:/i.test(url)) return undefined
      const mapPath = resolve(dirname(real), decodeURIComponent(url))
      if (!mapPath.startsWith(this.#sources + sep)) return undefined
      return { text: readFileSync(mapPath, 'utf8'), folder: dirname(mapPath) }
    })
  }

  #load(
    key: string,
    read: () => { readonly text: string; readonly folder: string | undefined } | undefined,
  ): Loaded | undefined {
    const known = this.#loaded.get(key)
    if (known !== undefined) return known
    try {
      const found = read()
      if (found === undefined) return undefined
      const payload = JSON.parse(found.text) as SourceMapPayload
      const folder = found.folder && resolve(found.folder, payload.sourceRoot ?? '')
      const loaded = { map: new SourceMap(payload), payload, folder }
      if (this.#loaded.size >= MOST_KEPT) this.#loaded.delete(this.#loaded.keys().next().value ?? '')
      this.#loaded.set(key, loaded)
      return loaded
    } catch {
      return undefined
    }
  }
}

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Hono } from 'hono'
import { at, list, textAt } from '../record.ts'
import { unzip } from './archive.ts'

const CHUNK = 1024 * 1024
const PER_REQUEST = 16

const sha1 = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')

/** Debug ids with and without dashes and capitals are the same. */
const plain = (id: string): string => id.toLowerCase().replaceAll('-', '')

/** Artifact bundles: scripts and their source maps, by debug id. */
export class Artifacts {
  readonly #folder: string | undefined
  readonly #chunks = new Map<string, Buffer>()
  readonly #states = new Map<string, { readonly state: string; readonly detail: string | null }>()
  readonly #maps = new Map<string, Buffer>()

  /** @param folder where bundles are kept across restarts. Default: in memory only. */
  constructor(folder?: string) {
    this.#folder = folder
    if (folder === undefined) return
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(folder)) {
      try {
        if (name.endsWith('.zip')) this.#read(readFileSync(join(folder, name)))
      } catch {
        // Damaged on disk: as if it had not been uploaded.
      }
    }
  }

  /** A source map's text. */
  sourceMap(debugId: string): string | undefined {
    return this.#maps.get(plain(debugId))?.toString('utf8')
  }

  addChunk(name: string, bytes: Buffer): void {
    if (bytes.length > CHUNK) throw new Error('Chunk size too large')
    if (sha1(bytes) !== name) throw new Error('Checksum missmatch')
    this.#chunks.set(name, bytes)
  }

  /** What became of a bundle, and which of its pieces are missing. Asked again, it goes on. */
  assemble(
    checksum: string,
    chunks: readonly string[],
  ): { state: string; missingChunks: string[]; detail: string | null } {
    const known = this.#states.get(checksum)
    if (known?.state === 'ok' || known?.state === 'error') return { ...known, missingChunks: [] }
    const missingChunks = chunks.filter((hash) => !this.#chunks.has(hash))
    if (chunks.length === 0 || missingChunks.length > 0)
      return { state: 'not_found', missingChunks, detail: null }
    if (known === undefined) {
      // Sentry does it behind the reply.
      this.#states.set(checksum, { state: 'created', detail: null })
      return { state: 'created', missingChunks: [], detail: null }
    }
    const bytes = Buffer.concat(chunks.map((hash) => this.#chunks.get(hash) as Buffer))
    const outcome = this.#outcome(checksum, bytes)
    this.#states.set(checksum, outcome)
    for (const hash of chunks) this.#chunks.delete(hash)
    return { ...outcome, missingChunks: [] }
  }

  #outcome(checksum: string, bytes: Buffer): { state: string; detail: string | null } {
    if (sha1(bytes) !== checksum) return { state: 'error', detail: 'Reported checksum mismatch' }
    try {
      this.#read(bytes)
    } catch (error) {
      return { state: 'error', detail: `failed to read the bundle: ${(error as Error).message}` }
    }
    if (this.#folder !== undefined)
      writeFileSync(join(this.#folder, `${checksum}.zip`), bytes, { mode: 0o600 })
    return { state: 'ok', detail: null }
  }

  #read(bytes: Buffer): void {
    const files = unzip(bytes)
    const manifest: unknown = JSON.parse(files.get('manifest.json')?.toString('utf8') ?? '')
    const described = at(manifest, 'files')
    if (typeof described !== 'object' || described === null) throw new Error('the manifest names no files')
    for (const [path, info] of Object.entries(described)) {
      const content = files.get(path)
      if (content === undefined) throw new Error(`${path} is not in it`)
      const debugId = textAt(at(info, 'headers'), 'debug-id')
      if (debugId !== undefined && at(info, 'type') === 'source_map') this.#maps.set(plain(debugId), content)
    }
  }
}

/** Where artifact bundles are uploaded: pieces by their SHA-1, then put together. */
export function artifactsApi(artifacts: Artifacts): Hono {
  const app = new Hono({ strict: false })
  const chunks = '/organizations/:organization/chunk-upload'
  app.get(chunks, (c) =>
    c.json({
      url: new URL(c.req.url).href,
      chunkSize: CHUNK,
      chunksPerRequest: PER_REQUEST,
      maxFileSize: 2 ** 31,
      maxRequestSize: 32 * 1024 * 1024,
      concurrency: 1,
      hashAlgorithm: 'sha1',
      compression: ['gzip'],
      accept: ['debug_files', 'release_files', 'sources', 'artifact_bundles', 'artifact_bundles_v2'],
    }),
  )
  app.post(chunks, async (c) => {
    const form = await c.req.formData()
    const files = [...form.getAll('file'), ...form.getAll('file_gzip')]
    if (files.length > PER_REQUEST) return c.json({ error: 'Too many chunks' }, 400)
    try {
      for (const [field, file] of form.entries()) {
        if (typeof file === 'string') continue
        const bytes = Buffer.from(await file.arrayBuffer())
        artifacts.addChunk(file.name, field === 'file_gzip' ? gunzipSync(bytes) : bytes)
      }
    } catch (error) {
      return c.json({ error: (error as Error).message }, 400)
    }
    return c.body(null, 200)
  })
  app.post('/organizations/:organization/artifactbundle/assemble', async (c) => {
    const body: unknown = await c.req.json().catch(() => undefined)
    const checksum = textAt(body, 'checksum') ?? ''
    const pieces = list(at(body, 'chunks')).map(String)
    if (![checksum, ...pieces].every((hash) => /^[\da-f]{40}$/.test(hash)))
      return c.json({ error: 'Invalid json body' }, 400)
    if (list(at(body, 'projects')).length === 0)
      return c.json({ error: 'You need to specify at least one project' }, 400)
    return c.json(artifacts.assemble(checksum, pieces))
  })
  return app
}

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'

/** How much a {@link Shelf} keeps, and where. */
export interface ShelfOptions {
  /** A file of one JSON value a line. Absent: in memory only. */
  readonly file?: string
  /** Most items; the oldest make room. Default 1000. */
  readonly max?: number
  /** Most characters of JSON in all; the oldest make room. Default 32 million. */
  readonly maxSize?: number
}

interface Entry<T> {
  readonly item: T
  readonly size: number
}

/**
 * The newest of what came in, kept across restarts. Each item is on disk when `add` returns, so that a killed
 * process loses nothing but at most a line it was in the middle of.
 */
export class Shelf<T extends { readonly id: string }> {
  readonly #max: number
  readonly #maxSize: number
  readonly #file: string | undefined
  #entries: Entry<T>[] = []
  #size = 0
  #lines = 0
  #descriptor: number | undefined
  #complained = false

  constructor({ file, max = 1000, maxSize = 32_000_000 }: ShelfOptions = {}) {
    this.#max = max
    this.#maxSize = maxSize
    this.#file = file
    if (file === undefined) return
    mkdirSync(dirname(file), { recursive: true })
    this.#descriptor = openSync(file, 'a+', 0o600)
    const stored = readFileSync(file, 'utf8')
    for (const line of stored.split('\n')) {
      const item = parse<T>(line)
      if (item) this.#keep(item, line.length)
      if (line !== '') this.#lines++
    }
    // After a torn last line a new one would be glued to it.
    if (stored !== '' && !stored.endsWith('\n')) this.#rewrite()
  }

  /** Newest first. */
  list(): T[] {
    return this.#entries.map(({ item }) => item).reverse()
  }

  find(matches: (item: T) => boolean): T | undefined {
    return this.#entries.findLast(({ item }) => matches(item))?.item
  }

  get length(): number {
    return this.#entries.length
  }

  add(item: T): void {
    const line = JSON.stringify(item)
    this.#keep(item, line.length)
    this.#onDisk((descriptor) => {
      writeSync(descriptor, `${line}\n`)
      this.#lines++
      if (this.#lines > this.#max * 2 || fstatSync(descriptor).size > this.#maxSize * 4) this.#rewrite()
    })
  }

  /** Removes what matches; returns how many that were. */
  remove(matches: (item: T) => boolean): number {
    const before = this.#entries.length
    this.#entries = this.#entries.filter(({ item }) => !matches(item))
    this.#size = this.#entries.reduce((sum, { size }) => sum + size, 0)
    if (this.#entries.length === 0) {
      this.#onDisk((descriptor) => {
        ftruncateSync(descriptor, 0)
        this.#lines = 0
      })
    } else if (this.#entries.length !== before) {
      this.#onDisk(() => this.#rewrite())
    }
    return before - this.#entries.length
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #keep(item: T, size: number): void {
    this.#entries.push({ item, size })
    this.#size += size
    while (this.#entries.length > this.#max || (this.#size > this.#maxSize && this.#entries.length > 1)) {
      this.#size -= this.#entries.shift()?.size ?? 0
    }
  }

  #onDisk(work: (descriptor: number) => void): void {
    if (this.#descriptor === undefined) return
    try {
      work(this.#descriptor)
    } catch (error) {
      // What came in is still shown; only the restart will not know it.
      if (!this.#complained) {
        process.stderr.write(
          `${this.#file} cannot be written (${(error as Error).message}): kept in memory only.\n`,
        )
      }
      this.#complained = true
    }
  }

  #rewrite(): void {
    const file = this.#file
    if (file === undefined || this.#descriptor === undefined) return
    const temporary = `${file}.new`
    const lines = this.#entries.map(({ item }) => `${JSON.stringify(item)}\n`)
    writeFileSync(temporary, lines.join(''), { mode: 0o600 })
    renameSync(temporary, file)
    closeSync(this.#descriptor)
    this.#descriptor = openSync(file, 'a', 0o600)
    this.#lines = lines.length
  }
}

function parse<T>(line: string): T | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'id' in value ? (value as T) : undefined
  } catch {
    return undefined
  }
}

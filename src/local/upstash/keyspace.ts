import { CommandError, ERRORS } from './reply.ts'
import { SortedSet } from './sorted-set.ts'

/** What a key can hold. */
export interface Values {
  string: string
  hash: Map<string, string>
  set: Set<string>
  zset: SortedSet
  list: string[]
}

export type ValueType = keyof Values

/** One key's value, kind and time of death. */
export interface Entry<T extends ValueType = ValueType> {
  readonly type: T
  value: Values[T]
  /** Milliseconds since the epoch; undefined when it lives on. */
  expireAt: number | undefined
  /** Grows with every key that comes into being: the order of the map, and what SCAN's cursor counts. */
  id: number
}

const make: { [T in ValueType]: () => Values[T] } = {
  string: () => '',
  hash: () => new Map(),
  set: () => new Set(),
  zset: () => new SortedSet(),
  list: () => [],
}

function isEmpty(value: Values[ValueType]): boolean {
  return typeof value === 'string' ? false : Array.isArray(value) ? value.length === 0 : value.size === 0
}

interface ScanPosition {
  readonly after: number
  readonly rest: IterableIterator<[string, Entry]>
}

/** Every key of the store. Expires lazily on access and actively by {@link Keyspace.sweep}. */
export class Keyspace {
  /** The time, frozen while one command or one script runs. */
  now = 0
  /** Counts changes, so that a snapshot knows whether there is anything to write. */
  changes = 0
  readonly #entries = new Map<string, Entry>()
  #nextId = 1
  // Maps iterate in order of insertion and their iterators survive deletion, so an iterator is the perfect
  // cursor. A few are kept; a scan whose iterator was dropped skips ahead by id.
  readonly #scans: ScanPosition[] = []

  get size(): number {
    return this.#entries.size
  }

  /** The live entry of a key. */
  find(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry?.expireAt !== undefined && entry.expireAt <= this.now) {
      this.remove(key)
      return undefined
    }
    return entry
  }

  /** The value of a key that must be of this type, or absent. */
  get<T extends ValueType>(type: T, key: string): Values[T] | undefined {
    const entry = this.find(key)
    if (entry === undefined) return undefined
    if (entry.type !== type) throw new CommandError(ERRORS.wrongType)
    return entry.value as Values[T]
  }

  /** The collection at a key, made when there is none. Call {@link settle} when members may have gone. */
  open<T extends Exclude<ValueType, 'string'>>(type: T, key: string): Values[T] {
    const found = this.get(type, key)
    if (found !== undefined) return found
    const value = make[type]() as Values[T]
    this.put(type, key, value)
    return value
  }

  /** Replaces whatever is at a key. Its time of death goes, unless it is given anew. */
  put<T extends ValueType>(type: T, key: string, value: Values[T], expireAt?: number): void {
    this.changes++
    const old = this.#entries.get(key)
    this.#entries.set(key, { type, value, expireAt, id: old?.id ?? this.#nextId++ } as Entry)
  }

  /** Stores a result, or deletes the key when the result is empty. */
  store<T extends Exclude<ValueType, 'string'>>(type: T, key: string, value: Values[T]): void {
    if (isEmpty(value)) this.remove(key)
    else this.put(type, key, value)
  }

  /** Removes a collection that has become empty, as Redis never keeps one. */
  settle(key: string): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined && isEmpty(entry.value)) this.remove(key)
  }

  remove(key: string): boolean {
    if (!this.#entries.delete(key)) return false
    this.changes++
    return true
  }

  clear(): void {
    this.changes++
    this.#entries.clear()
    this.#scans.length = 0
  }

  /** Every live key. */
  *live(): Generator<[string, Entry]> {
    for (const [key, entry] of this.#entries) {
      if (entry.expireAt === undefined || entry.expireAt > this.now) yield [key, entry]
    }
  }

  /**
   * One page of keys. Whatever exists from the first page to the last is returned, also when others come and go
   * in between.
   */
  scan(cursor: number, count: number): { cursor: number; page: [string, Entry][] } {
    const known = this.#scans.findIndex((scan) => scan.after === cursor)
    const rest =
      cursor > 0 && known >= 0
        ? (this.#scans.splice(known, 1)[0] as ScanPosition).rest
        : this.#entries.entries()
    const page: [string, Entry][] = []
    for (;;) {
      const next = rest.next()
      if (next.done) return { cursor: 0, page }
      const [key, entry] = next.value
      if (entry.id <= cursor) continue
      if (entry.expireAt === undefined || entry.expireAt > this.now) page.push([key, entry])
      if (page.length >= count) {
        this.#scans.push({ after: entry.id, rest })
        if (this.#scans.length > 16) this.#scans.shift()
        return { cursor: entry.id, page }
      }
    }
  }

  /** Deletes what has expired, at most `limit` keys looked at. Returns how many went. */
  sweep(limit = 10_000): number {
    let gone = 0
    let seen = 0
    for (const [key, entry] of this.#entries) {
      if (++seen > limit) break
      if (entry.expireAt !== undefined && entry.expireAt <= this.now) {
        this.remove(key)
        gone++
      }
    }
    return gone
  }
}

import { compareBinary } from './binary.ts'

/** A member with its score. */
export interface Scored {
  readonly member: string
  readonly score: number
}

function compare(a: Scored, b: Scored): number {
  return (
    a.score - b.score ||
    (a.score === b.score ? compareBinary(a.member, b.member) : a.score < b.score ? -1 : 1)
  )
}

/**
 * A sorted set: by score, then by the bytes of the member. Members by hash, order by a sorted array: inserting
 * moves memory, which is quicker than a tree at the sizes a development store sees.
 */
export class SortedSet {
  readonly #scores = new Map<string, number>()
  readonly #sorted: Scored[] = []

  get size(): number {
    return this.#scores.size
  }

  score(member: string): number | undefined {
    return this.#scores.get(member)
  }

  set(member: string, score: number): void {
    const old = this.#scores.get(member)
    if (old !== undefined) {
      if (Object.is(old, score)) return
      this.#sorted.splice(this.#position({ member, score: old }), 1)
    }
    this.#scores.set(member, score)
    const entry = { member, score }
    this.#sorted.splice(this.#position(entry), 0, entry)
  }

  delete(member: string): boolean {
    const score = this.#scores.get(member)
    if (score === undefined) return false
    this.#sorted.splice(this.#position({ member, score }), 1)
    return this.#scores.delete(member)
  }

  /** From the lowest; undefined when it is no member. */
  rank(member: string): number | undefined {
    const score = this.#scores.get(member)
    return score === undefined ? undefined : this.#position({ member, score })
  }

  /** All members, lowest first. Not to be changed by the caller. */
  entries(): readonly Scored[] {
    return this.#sorted
  }

  /** Index of the first entry that is not below; the array's length when all are. */
  #position(entry: Scored): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(this.#sorted[middle] as Scored, entry) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Numbers that a seed decides. */
export interface Random {
  /** From 0 to below 1. */
  (): number
  chance(probability: number): boolean
  /** From 0 to below `below`. */
  integer(below: number): number
  pick<T>(items: readonly T[]): T
}

/** mulberry32: small, fast, and good enough to choose what goes wrong. */
export function randomOf(seed: number): Random {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return Object.assign(next, {
    chance: (probability: number) => next() < probability,
    integer: (below: number) => Math.floor(next() * below),
    pick: <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T,
  })
}

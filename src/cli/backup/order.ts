/** A foreign key: rows of `from` name rows of `to`. */
export interface Reference {
  readonly from: string
  readonly to: string
}

/**
 * An order in which tables can be loaded so that what a row names is there before it. Where tables name each other in
 * a circle there is none: the references that cannot be kept are given apart. A table that names itself is no trouble,
 * since foreign keys are checked when a statement ends.
 */
export function loadOrder<R extends Reference>(
  tables: readonly string[],
  references: readonly R[],
): { readonly order: readonly string[]; readonly late: readonly R[] } {
  const known = new Set(tables)
  const real = references.filter(({ from, to }) => from !== to && known.has(from) && known.has(to))
  const waiting = new Map(tables.map((table) => [table, new Set<string>()]))
  for (const { from, to } of real) waiting.get(from)?.add(to)
  const order: string[] = []
  while (waiting.size > 0) {
    const left = [...waiting]
    const next = left.reduce((best, one) => (one[1].size < best[1].size ? one : best))
    const [table] = next
    order.push(table)
    waiting.delete(table)
    for (const parents of waiting.values()) parents.delete(table)
  }
  const place = new Map(order.map((table, at) => [table, at]))
  const late = real.filter(({ from, to }) => (place.get(from) ?? 0) < (place.get(to) ?? 0))
  return { order, late }
}

interface Node {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    readonly lineNumber: number
    readonly columnNumber: number
  }
  readonly children?: readonly number[]
}

/** What `Profiler.stop` gives. Times are microseconds. */
export interface CpuProfile {
  readonly nodes: readonly Node[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** One function, over all the places it was called from. */
export interface Weight {
  readonly name: string
  readonly place: string
  readonly self: number
  /** With everything it called; a recursion counts once. */
  readonly total: number
}

/** Functions by the time they took themselves, idle time apart. */
export function heaviest({ nodes, samples, timeDeltas }: CpuProfile): Weight[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map<number, number>()
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id)
  const weights = new Map<string, { name: string; place: string; self: number; total: number }>()
  samples.forEach((sample, i) => {
    const time = timeDeltas[i] ?? 0
    const seen = new Set<string>()
    let self = true
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const frame = byId.get(id)?.callFrame
      if (frame === undefined || ['(root)', '(idle)'].includes(frame.functionName)) break
      const place = frame.url === '' ? '' : `${frame.url.split('/').at(-1)}:${frame.lineNumber + 1}`
      const key = `${frame.functionName} ${place}`
      const weight = weights.get(key) ?? {
        name: frame.functionName || '(anonymous)',
        place,
        self: 0,
        total: 0,
      }
      weights.set(key, weight)
      if (self) weight.self += time
      self = false
      if (!seen.has(key)) weight.total += time
      seen.add(key)
    }
  })
  return [...weights.values()].sort((a, b) => b.self - a.self)
}

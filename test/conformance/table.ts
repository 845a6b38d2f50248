/** How an implementation meets one requirement. */
export interface Row {
  /** The standard's own number, such as `6.2.1`, or a short name. */
  readonly id: string
  readonly title: string
  readonly status: 'pass' | 'fail' | 'na'
  /** Why not, or why it does not apply. */
  readonly note?: string
}

/** A table of requirements, with peers' counts where others were asked the same. */
export interface Conformance {
  readonly name: string
  readonly rows: readonly Row[]
  readonly passed: number
  readonly failed: number
  readonly na: number
  readonly peers?: Readonly<Record<string, Counts>>
}

/** How many rows ended how. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly na: number
}

/** Counts rows. */
function count(rows: readonly Row[]): Counts {
  const of = (status: Row['status']): number => rows.filter((row) => row.status === status).length
  return { passed: of('pass'), failed: of('fail'), na: of('na') }
}

/** Makes the result of a suite. */
export function conformance(
  name: string,
  rows: readonly Row[],
  peers?: Readonly<Record<string, readonly Row[]>>,
): Conformance {
  return {
    name,
    rows,
    ...count(rows),
    ...(peers && {
      peers: Object.fromEntries(Object.entries(peers).map(([peer, theirs]) => [peer, count(theirs)])),
    }),
  }
}

/** The table for people. */
export function render({ name, rows, passed, failed, na, peers }: Conformance): string {
  const width = Math.max(...rows.map((row) => row.id.length), 2)
  const lines = rows.map(
    ({ id, title, status, note }) =>
      `${status.padEnd(4)}  ${id.padEnd(width)}  ${title}${note ? ` (${note})` : ''}`,
  )
  const totals = [
    `${name}: ${passed} pass, ${failed} fail, ${na} not applicable`,
    ...Object.entries(peers ?? {}).map(
      ([peer, theirs]) =>
        `${peer}: ${theirs.passed} pass, ${theirs.failed} fail, ${theirs.na} not applicable`,
    ),
  ]
  return [...lines, '', ...totals].join('\n')
}

/** A node of `EXPLAIN (FORMAT JSON)`, as far as it is looked at. */
export interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly Schema?: string
  readonly 'Index Name'?: string
  readonly 'Index Cond'?: string
  readonly 'Sort Key'?: readonly string[]
  readonly 'Parent Relationship'?: string
  readonly 'Plan Rows': number
  readonly 'Actual Rows'?: number
  readonly 'Actual Loops'?: number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly PlanNode[]
}

/** What is wrong with a plan. */
export interface PlanFault {
  readonly kind: 'sequential-scan' | 'whole-index' | 'rows-thrown-away' | 'sort' | 'estimate'
  /** Names the table, and how many rows. */
  readonly message: string
}

/** From where on a plan is at fault. */
export interface PlanLimits {
  /** Rows from which a table counts as big. Default 10,000. */
  readonly bigTable: number
  /** Rows that may be sorted, or read and thrown away. Default 1,000. */
  readonly rows: number
  /** How far an estimate may be off, as a factor. Default 100. */
  readonly estimate: number
}

/** The usual limits. */
export const LIMITS: PlanLimits = { bigTable: 10_000, rows: 1000, estimate: 100 }

/** Rows of each table, by name. */
export type TableSizes = ReadonlyMap<string, number>

const actualOf = (node: PlanNode): number =>
  (node['Actual Rows'] ?? 0) * Math.max(1, node['Actual Loops'] ?? 1)

/** The rows of a node as known: what came, or, without ANALYZE, what the planner expects. */
const rowsOf = (node: PlanNode): number =>
  node['Actual Rows'] === undefined ? node['Plan Rows'] : actualOf(node)

/** The nearest table below a node. */
function relationOf(node: PlanNode): string {
  return node['Relation Name'] ?? node.Plans?.map(relationOf).find((name) => name !== '') ?? ''
}

/** Scans of tables under a node, not counting those that only feed a hash or a sub-plan. */
function scanned(node: PlanNode): number {
  if (node['Relation Name'] !== undefined && /Scan/.test(node['Node Type'])) return 1
  return (node.Plans ?? []).reduce((sum, child) => sum + scanned(child), 0)
}

/** What an index would have spared, in a plan with or without the figures of ANALYZE. */
export function judgePlan(root: PlanNode, sizes: TableSizes, limits: PlanLimits = LIMITS): PlanFault[] {
  const faults: PlanFault[] = []
  const say = (kind: PlanFault['kind'], message: string): void => {
    faults.push({ kind, message })
  }

  const visit = (node: PlanNode, cut: boolean): void => {
    const type = node['Node Type']
    const relation = node['Relation Name'] ?? ''
    const size = sizes.get(relation) ?? 0
    const big = size >= limits.bigTable
    const ran = node['Actual Loops'] !== 0
    const read = (node['Actual Rows'] ?? size) + (node['Rows Removed by Filter'] ?? 0)
    // One that a LIMIT ends after a few rows did no harm.
    if (type === 'Seq Scan' && big && (read > limits.rows || !cut)) {
      say('sequential-scan', `reads all ${size} rows of ${relation}`)
    }
    if (/^Index/.test(type) && big && ran && node['Index Cond'] === undefined && !cut) {
      say('whole-index', `walks all of ${node['Index Name']} on ${relation}`)
    }
    const thrown =
      ((node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) *
      Math.max(1, node['Actual Loops'] ?? 1)
    if (type !== 'Seq Scan' && relation !== '' && thrown > limits.rows && thrown > 10 * actualOf(node)) {
      say(
        'rows-thrown-away',
        `reads ${Math.round(thrown)} rows of ${relation} by ${node['Index Name'] ?? type} for nothing`,
      )
    }
    if (type === 'Sort' && ran) {
      const [below] = node.Plans ?? []
      const sorted = below === undefined ? 0 : rowsOf(below)
      // Of a grouping's answer there is no index.
      const plain =
        below !== undefined && scanned(below) > 0 && !/Aggregate|Group|Unique|Append/.test(below['Node Type'])
      if (plain && sorted > limits.rows) {
        say(
          'sort',
          `sorts ${Math.round(sorted)} rows of ${relationOf(node)} by ${(node['Sort Key'] ?? []).join(', ')}`,
        )
      }
    }
    if (node['Actual Rows'] !== undefined && ran && relation !== '') {
      const loops = Math.max(1, node['Actual Loops'] ?? 1)
      const expected = Math.max(1, node['Plan Rows'])
      const got = Math.max(1, node['Actual Rows'])
      const most = Math.max(expected, got) * loops
      // Whoever stops early makes every estimate below look too high.
      const off = got > expected ? got / expected : cut ? 1 : expected / got
      if (off > limits.estimate && most > limits.rows) {
        say('estimate', `expects ${expected} rows of ${relation}, gets ${Math.round(got)}`)
      }
    }
    const stops = /^(Limit|Merge Join|Nested Loop|Unique|Result|LockRows)$/.test(type)
    for (const child of node.Plans ?? []) visit(child, cut || stops)
  }
  visit(root, false)
  return faults
}

/** A plan for people: one line a node. */
export function planText(root: PlanNode): string {
  const lines: string[] = []
  const visit = (node: PlanNode, depth: number): void => {
    const on = node['Relation Name'] === undefined ? '' : ` on ${node['Relation Name']}`
    const by = node['Index Name'] === undefined ? '' : ` by ${node['Index Name']}`
    const rows = node['Actual Rows'] === undefined ? `~${node['Plan Rows']}` : `${Math.round(actualOf(node))}`
    lines.push(`${'  '.repeat(depth)}${node['Node Type']}${on}${by} (${rows} rows)`)
    for (const child of node.Plans ?? []) visit(child, depth + 1)
  }
  visit(root, 0)
  return lines.join('\n')
}

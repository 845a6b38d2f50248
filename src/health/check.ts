import type { Context } from 'hono'

/** A value, or how to find it in a request: bindings are not known at module scope everywhere. */
export type Given<T> = T | ((c: Context) => T)

/** What a check may tell beside that it passed. Shown to holders of the token. */
export interface Observation {
  /** `warn` for a dependency that works, but not well. Default `pass`. */
  readonly status?: 'pass' | 'warn'
  /** What was measured, such as a replication lag. */
  readonly observedValue?: string | number | boolean
  /** The unit of `observedValue`, such as `ms`. */
  readonly observedUnit?: string
  /** One sentence for people. Never put a secret or personal data here. */
  readonly output?: string
}

/** One dependency, and how to see whether it works. */
export interface HealthCheck {
  /** Whether the service is useless without it. Default true; a failure of one that is not gives `warn`. */
  readonly critical?: boolean
  /** The draft's component type. Default `component`. */
  readonly componentType?: 'component' | 'datastore' | 'system'
  /**
   * Asks the dependency. Returning is passing, throwing is failing.
   * @param signal Aborted at the deadline: hand it on where that is possible. What comes later counts no more.
   */
  run(signal: AbortSignal, c: Context): Promise<Observation | undefined>
}

/** What came of one check. */
export interface CheckResult {
  readonly name: string
  readonly status: 'pass' | 'warn' | 'fail'
  readonly critical: boolean
  readonly componentType: string
  /** Milliseconds it took. */
  readonly duration: number
  readonly observation?: Observation
  /** What went wrong: the kind of error and its code, never its message, which may hold anything. */
  readonly output?: string
}

const LATE = Symbol('late')

/**
 * Runs every check at once, under one deadline: the slowest dependency decides how long the answer takes, and
 * none can make it take longer than `deadline` milliseconds.
 */
export async function runChecks(
  checks: Readonly<Record<string, HealthCheck>>,
  deadline: number,
  c: Context,
): Promise<readonly CheckResult[]> {
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => {
      resolve(LATE)
      controller.abort(new DOMException('The health check took too long', 'TimeoutError'))
    }, deadline)
  })

  async function runOne(name: string, check: HealthCheck): Promise<CheckResult> {
    const { critical = true, componentType = 'component' } = check
    const start = Date.now()
    const base = () => ({ name, critical, componentType, duration: Date.now() - start })
    try {
      // Within the try, so that a check that throws before its first await fails alone.
      const answer = check.run(controller.signal, c)
      answer.catch(() => {})
      const outcome = await Promise.race([answer, late])
      if (outcome === LATE) return { ...base(), status: 'fail', output: `no answer within ${deadline} ms` }
      return { ...base(), status: outcome?.status ?? 'pass', ...(outcome && { observation: outcome }) }
    } catch (error) {
      return { ...base(), status: 'fail', output: nameError(error) }
    }
  }

  try {
    return await Promise.all(Object.entries(checks).map(([name, check]) => runOne(name, check)))
  } finally {
    clearTimeout(timer)
  }
}

/** The kind of an error and its code. Messages of drivers hold hosts, statements and parameters. */
function nameError(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  const { code } = error as { code?: unknown }
  const hasCode =
    (typeof code === 'string' || typeof code === 'number') && /^[\w.-]{1,40}$/.test(String(code))
  return `${/^\w{1,60}$/.test(error.name) ? error.name : 'Error'}${hasCode ? ` (${code})` : ''}`
}

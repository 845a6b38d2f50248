/** The kinds of problem. Stable: `production.allow` names them, and tools may switch on them. */
export type EnvProblemCode =
  | 'missing'
  | 'invalid'
  | 'async-schema'
  | 'binding'
  // In production only
  | 'private-address'
  | 'insecure-url'
  | 'test-key'
  | 'placeholder'
  | 'weak-secret'
  | 'shared-secret'
  | 'unpooled'
  | 'no-release'

/** One thing wrong with the environment. Holds no value of any variable. */
export interface EnvProblem {
  /** The variable or binding. */
  readonly name: string
  readonly code: EnvProblemCode
  /** What is wrong; continues a sentence that begins with the name. */
  readonly problem: string
  /** What was expected; absent where the problem says it all. */
  readonly expected?: string
  /** How to put it right: a command, or lines for wrangler.toml. */
  readonly fix: string
}

/**
 * The environment is not fit to run. Its message lists every problem, for the one who deploys; it names
 * variables and never repeats a value. It is not for callers: the middleware hides it behind a plain
 * `misconfigured` problem.
 */
export class EnvironmentError extends Error {
  override readonly name: string = 'EnvironmentError'
  readonly code = 'misconfigured' as const
  /** Every problem, in the order of declaration. */
  readonly problems: readonly EnvProblem[]

  constructor(problems: readonly EnvProblem[]) {
    const lines = problems.map(
      ({ name, problem, expected, fix }) =>
        `\n- ${name} ${problem}${expected ? `; expected ${expected}` : ''}\n  ${fix}`,
    )
    super(`The environment is not fit to run (${problems.length})${lines.join('')}`)
    this.problems = problems
  }
}

/** What a measurement is given. */
export interface BenchContext {
  /** What stood after the name on the command line, `--json` apart. */
  readonly args: readonly string[]
  /** Tells people how far it is; goes to stderr. */
  readonly say: (line: string) => void
}

/** What came of it. */
export interface Outcome {
  /** For machines; the keys are stable. */
  readonly figures: Readonly<Record<string, unknown>>
  /** For people: Markdown, without a title. */
  readonly report: string
  /** What was found over a limit, a sentence each; only benches that gate have any. */
  readonly over?: readonly string[]
}

/** One measurement: what `bench/NAME/index.ts` exports as `bench`. */
export interface Bench {
  /** One line for the list of benches. */
  readonly about: string
  /** The options it understands, for the list. */
  readonly options?: string
  /** Takes long enough that `all` shows what `--save` has kept instead of running it. Default false. */
  readonly heavy?: boolean
  run(context: BenchContext): Promise<Outcome>
}

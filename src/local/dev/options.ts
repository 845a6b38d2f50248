import type { LocalPorts } from './ports.ts'

/** A part of the local stack. */
export type LocalPart = keyof LocalPorts

/** What happens while the stack starts. */
export interface Progress {
  readonly part: LocalPart | 'migrations'
  readonly state: 'starting' | 'ready' | 'failed'
  /** Where it is, or what was done. */
  readonly detail?: string
}

/** Options of `startLocal`. */
export interface LocalOptions {
  /** The project's folder: wrangler's configuration, migrations, `.dev.vars`. Default: the current one. */
  readonly dir?: string
  /** Where state is kept. Default `.breakwater` in the project's folder. */
  readonly state?: string
  /** Begins without the state of earlier runs. Default false. */
  readonly reset?: boolean
  /** Ports; what is left out takes any free one. */
  readonly ports?: Partial<LocalPorts>
  /** Whether the worker runs too. Default true. */
  readonly worker?: boolean
  /** Wrangler's configuration. Default: `wrangler.jsonc`, `wrangler.json` or `wrangler.toml` of the project. */
  readonly config?: string
  /** Env files for the worker, read after the local stack's own variables, so that they win. */
  readonly envFiles?: readonly string[]
  /** More plain variables for the worker. */
  readonly vars?: Readonly<Record<string, string>>
  /** A Postgres of your own instead of the one that comes along. */
  readonly databaseUrl?: string
  /** A Redis of your own instead of the store that comes along. */
  readonly redisUrl?: string
  /** The folder of migrations to apply, or false for none. Default: `drizzle` in the project's folder, if it is there. */
  readonly migrations?: string | false
  /** Whether the worker's cron triggers fire on their minutes. Default true. */
  readonly crons?: boolean
  /** Told what happens while the stack starts. */
  readonly onProgress?: (progress: Progress) => void
  /** Given what the parts have to say, line by line: the worker's own logs among them. */
  readonly onLog?: (part: LocalPart, line: string) => void
  /** Calls the start off. */
  readonly signal?: AbortSignal
}

/** A running local stack: where each part is, as URLs without a slash at the end. */
export interface Local {
  /** The worker, undefined when it was left out. */
  readonly worker: string | undefined
  /** The page that links everything. */
  readonly console: string
  /** Connection string of the database, password included. */
  readonly postgres: string
  /** Base URL for `NEON_ENDPOINT`. */
  readonly neon: string
  /** `UPSTASH_REDIS_REST_URL`; the token is in {@link vars}. */
  readonly upstash: string
  readonly sentry: string
  readonly mail: string
  /** Every variable that the worker was given, secrets included. */
  readonly vars: Readonly<Record<string, string>>
  /** The folder that holds the state. */
  readonly state: string
  /** Resolves with a sentence when a part ends that was not told to. The rest still runs: call `stop`. */
  readonly failed: Promise<string>
  /** Ends everything, the worker first and the database last. May be called more than once. */
  stop(): Promise<void>
  /** Ends everything at once; what was not yet written is lost, nothing is torn. For when `stop` takes too long. */
  kill(): void
}

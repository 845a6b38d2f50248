import type { CriticalQuery } from '../db/index.ts'
import type { EnvDefinition } from '../env/define.ts'
import type { LiveDatabase } from './database.ts'
import type { LiveSite } from './live.ts'
import type { WranglerConfig } from './wrangler.ts'

/** How bad it is when a check fails: `error` keeps from launching, `warn` will hurt, `info` is good to know. */
export type Level = 'error' | 'warn' | 'info'

/** One thing that is wrong, and how to put it right. */
export interface Finding {
  /** What is wrong and where. Holds no value of a secret. */
  readonly message: string
  /** The exact fix: a command, or lines and the file they belong in. */
  readonly hint: string
}

/** What a check came to. */
export type Outcome =
  | { readonly status: 'pass' }
  | { readonly status: 'fail'; readonly findings: readonly Finding[] }
  | { readonly status: 'skip'; readonly reason: string }

/** A declared environment whose names are not known to the compiler. */
export type AnyEnvDefinition = EnvDefinition<Record<string, never>, Record<string, never>>

/** What checks can look at. What could not be had is a sentence that says why. */
export interface Project {
  /** The folder the project lives in. */
  readonly root: string
  /** The environment that is judged; undefined for the top level. */
  readonly environment: string | undefined
  readonly wrangler: WranglerConfig | string
  readonly definition: AnyEnvDefinition | string
  readonly site: LiveSite | string
  /** Absent, like a sentence, when none was given. */
  readonly database?: LiveDatabase | string
  /** Queries declared with `critical`. Absent, like a sentence, when no module was named. */
  readonly queries?: readonly CriticalQuery[] | string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Runs git in the root. Gives undefined where there is no git or no repository. */
  git(...args: string[]): { readonly code: number; readonly stdout: string } | undefined
}

/** One check of the doctor. One lives in one file of `checks/`. */
export interface DoctorCheck {
  /** Stable; silencing and links go by it. */
  readonly id: string
  readonly level: Level
  /** What holds when it passes. Under 80 characters. */
  readonly title: string
  run(project: Project): Outcome | Promise<Outcome>
}

/** Pass when nothing was found. */
export function outcome(findings: readonly Finding[]): Outcome {
  return findings.length > 0 ? { status: 'fail', findings } : { status: 'pass' }
}

/** Not judged, and why. */
export function skip(reason: string): Outcome {
  return { status: 'skip', reason }
}

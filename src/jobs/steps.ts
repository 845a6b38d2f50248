import type { Step } from './context.ts'
import type { JobsDatabase } from './database.ts'
import { LeaseLost } from './errors.ts'
import { type Claim, saveProgress, saveStep } from './lease.ts'

/** Results live in the job's row. */
const MAX_RESULT = 65_536
const MAX_PROGRESS = 4096

/** Does something under a name: at once, or by an engine that remembers it as well. */
export type Perform = <T>(name: string, fn: () => Promise<T>) => Promise<T>

/** The steps of one attempt. They are remembered past the handler's transaction, so that a rollback forgets none. */
export function stepsOf(
  db: JobsDatabase,
  claim: Claim,
  stop: { readonly signal: AbortSignal },
  perform: Perform = (_, fn) => fn(),
): Step {
  const known = (claim.steps ?? {}) as Readonly<Record<string, { readonly v?: unknown }>>
  const used = new Set<string>()
  return async <T>(
    name: string,
    fn: (context: { key: string; signal: AbortSignal }) => Promise<T> | T,
  ): Promise<T> => {
    if (name === '' || name.length > 100) throw new TypeError('A step’s name has 1 to 100 characters')
    if (used.has(name))
      throw new TypeError(`Step "${name}" is there twice: its result could not be told apart`)
    used.add(name)
    if (Object.hasOwn(known, name)) return known[name]?.v as T
    const { signal } = stop
    signal.throwIfAborted()
    const kept = await perform(name, async () => {
      const text = JSON.stringify({ v: await fn({ key: `${claim.id}:${name}`, signal }) })
      if (text.length > MAX_RESULT)
        throw new TypeError(`Step "${name}" returned more than ${MAX_RESULT} characters; keep it elsewhere`)
      // As a retry will see it.
      const result = JSON.parse(text) as { v?: unknown }
      if (!(await saveStep(db, claim, name, result))) throw new LeaseLost()
      return result
    })
    return kept.v as T
  }
}

/** The progress of one attempt. */
export function progressOf(db: JobsDatabase, claim: Claim): (value: unknown) => Promise<void> {
  return async (value) => {
    const text = JSON.stringify(value ?? null)
    if (text.length > MAX_PROGRESS) throw new TypeError(`Progress has at most ${MAX_PROGRESS} characters`)
    if (!(await saveProgress(db, claim, JSON.parse(text)))) throw new LeaseLost()
  }
}

/** A backup as pruning sees it. */
export interface Kept {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly finishedAt: number
  /** Whether a restore of it was shown to work. */
  readonly proven: boolean
}

/**
 * The complete backups that may go: older than `retention`, but never the newest, and never the newest proven one,
 * however old they are. A backup that stopped being made must not delete the last that was.
 */
export function expired(complete: readonly Kept[], now: number, retention: number): string[] {
  const newestFirst = [...complete].sort((a, b) => b.finishedAt - a.finishedAt)
  const newest = newestFirst[0]
  const newestProven = newestFirst.find(({ proven }) => proven)
  return newestFirst
    .filter((backup) => backup !== newest && backup !== newestProven && now - backup.finishedAt > retention)
    .map(({ id }) => id)
}

/** Backups that were begun and never finished, old enough not to be under way: leavings of a run that died. */
export function abandoned(
  begun: readonly { readonly id: string; readonly startedAt: number }[],
  complete: ReadonlySet<string>,
  now: number,
  after: number = 86_400_000,
): string[] {
  return begun.filter(({ id, startedAt }) => !complete.has(id) && now - startedAt > after).map(({ id }) => id)
}

/** Why Postgres could not be started, in a sentence for the developer at the terminal. */
export class PostgresStartError extends Error {
  override readonly name = 'PostgresStartError'
}

/** The Node error code of a failure (`ENOSPC`, `EACCES`), if it has one. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}

import { currentWork, type Span } from '../core/index.ts'

/** How many rows came back, or were changed, over all results of one round trip. */
function rowsOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + rowsOf(one), 0)
  const { rows, rowCount } = (value ?? {}) as { rows?: unknown; rowCount?: unknown }
  return typeof rowCount === 'number' ? rowCount : Array.isArray(rows) ? rows.length : 0
}

/**
 * One round trip to Postgres as a span of the current work, with its number of rows. The span's name is a
 * fingerprint, so neither values nor rows are seen.
 */
export async function timed<T>(
  name: string,
  attributes: NonNullable<Span['attributes']>,
  run: () => Promise<T>,
): Promise<T> {
  const work = currentWork()
  if (work === undefined) return run()
  const start = Date.now()
  const done = (ok: boolean, more?: Span['attributes']): void =>
    work.record({
      op: 'db.query',
      name,
      start,
      duration: Date.now() - start,
      ok,
      attributes: { ...attributes, ...more },
    })
  let value: T
  try {
    value = await run()
  } catch (error) {
    done(false)
    throw error
  }
  done(true, { rows: rowsOf(value) })
  return value
}

import type { AuthConfig } from './config.ts'
import type { Visitor } from './visitor.ts'

// A cookie made from an answer that the database gave just before lives this much longer than the mark's start.
const MARGIN_SECONDS = 60
const RETRY_AFTER_MS = [1000, 5000, 20_000] as const

async function keepMarking(mark: () => Promise<void>): Promise<void> {
  for (const [i, wait] of RETRY_AFTER_MS.entries()) {
    await new Promise((resolve) => setTimeout(resolve, wait))
    try {
      return await mark()
    } catch (error) {
      if (i === RETRY_AFTER_MS.length - 1) throw error
    }
  }
}

/**
 * Marks a person whose sessions are being ended, so that no signed cookie of theirs is believed from the reply
 * on. Where the mark cannot be written, whoever reads marks most likely cannot either and asks the database; for
 * the rest it is tried again past the reply, and a cookie dies of age within `maxAge` anyway. So this never
 * rejects where there is a reply to go past, and never undoes what the database has already done.
 */
export async function markRevoked(config: AuthConfig, userId: string, visitor?: Visitor): Promise<void> {
  const revocations = config.cache?.revocations
  if (config.cache === undefined || revocations === undefined) return
  const longest = Math.max(config.cache.maxAge, config.tokens?.access ?? 0)
  const seconds = Math.ceil(longest / 1000) + MARGIN_SECONDS
  const mark = () => revocations.mark(userId, seconds)
  try {
    await mark()
  } catch (error) {
    if (visitor === undefined) throw error
    visitor.waitUntil(keepMarking(mark))
  }
}

/**
 * Ends sessions in the database and marks their owner, together. The mark may come first: it only makes the
 * database be asked, and outlives every cookie made from an answer given before.
 */
export async function revoking<T>(
  config: AuthConfig,
  userId: string,
  visitor: Visitor | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const [value, mark] = await Promise.allSettled([work(), markRevoked(config, userId, visitor)])
  if (value.status === 'rejected') throw value.reason
  if (mark.status === 'rejected') throw mark.reason
  return value.value
}

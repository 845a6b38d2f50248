import { type SQL, sql } from 'drizzle-orm'

/**
 * Notes that something was answered, as a part of the statement that answers it and holds the account `held`. Gives
 * a row the first time only: of two at once, the later one waits for the account and then finds it spent.
 * @param expiresAt from when on it would not be taken anyway, in milliseconds since the epoch.
 */
export const spending = (id: string, expiresAt: number): SQL =>
  sql`insert into breakwater.spent_challenges (id, expires_at)
    select ${id}::uuid, to_timestamp(${expiresAt / 1000}::float8) from held on conflict do nothing returning id`

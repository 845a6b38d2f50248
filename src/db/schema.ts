import { pgSchema } from 'drizzle-orm/pg-core'

/**
 * The Postgres schema that holds every table of the SDK, so that none collides with an application's own.
 * Each capability declares its tables in its own `schema.ts` on this.
 */
export const breakwater: ReturnType<typeof pgSchema<'breakwater'>> = pgSchema('breakwater')

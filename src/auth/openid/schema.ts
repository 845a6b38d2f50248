import { index, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { breakwater } from '../../db/schema.ts'
import { users } from '../schema.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })

/** Accounts at OpenID providers that people sign in with. Issuer and subject together name one (ASVS 6.8.1). */
export const identities = breakwater.table(
  'identities',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** The provider's issuer identifier, as its ID tokens have it. */
    issuer: text().notNull(),
    /** The person, as the provider has it: never reused, unlike a mail address. */
    subject: text().notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    lastUsedAt: at('last_used_at'),
  },
  (t) => [
    uniqueIndex('identities_issuer_subject_key').on(t.issuer, t.subject),
    index('identities_user_id_idx').on(t.userId),
  ],
)

import { relations, sql } from 'drizzle-orm'
import { check, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'

export const people = pgTable(
  'people',
  {
    id: integer('id').primaryKey(),
    email: text('email').notNull().unique('people_email_key'),
    age: integer('age'),
    extra: jsonb('extra'),
    born: timestamp('born', { withTimezone: true }),
  },
  (table) => [check('people_age_sane', sql`${table.age} < 200`)],
)

export const letters = pgTable('letters', {
  id: integer('id').primaryKey(),
  personId: integer('person_id')
    .notNull()
    .references(() => people.id),
})

const peopleRelations = relations(people, ({ many }) => ({ letters: many(letters) }))
const lettersRelations = relations(letters, ({ one }) => ({
  person: one(people, { fields: [letters.personId], references: [people.id] }),
}))

/** As an application hands it over. */
export const schema = { people, letters, peopleRelations, lettersRelations }

export const TABLES = `
  create table people (
    id int primary key, email text not null constraint people_email_key unique,
    age int constraint people_age_sane check (age < 200), extra jsonb, born timestamptz
  );
  create table letters (id int primary key, person_id int not null references people (id));
`

import { type AnyDatabase, createDatabase, type Queryable } from 'breakwater/db'
import { expectTypeOf, it } from 'vitest'
import { people, schema } from '../../system/db/tables.ts'

const url = 'postgresql://app:secret@db.example/app'

it('lets a service take any database and any transaction, whatever schema the application gave it', () => {
  const reads = (queryable: Queryable) => queryable.select().from(people)
  const changes = (database: AnyDatabase) => database.transaction((tx) => reads(tx), { retry: true })
  const plain = createDatabase({ url })
  const withSchema = createDatabase({ url, schema })
  const services = () => [reads(plain), reads(withSchema), changes(plain), changes(withSchema)]
  expectTypeOf(services).returns.items.toExtend<PromiseLike<{ email: string }[]>>()
  const inside = () =>
    withSchema.transaction(async (tx) => [await reads(tx), await tx.transaction((tx2) => reads(tx2))])
  expectTypeOf(inside).not.toBeAny()
  const relational = (queryable: Queryable<typeof schema>) => queryable.query.people.findFirst()
  const both = () => [relational(withSchema), withSchema.transaction((tx) => relational(tx))]
  expectTypeOf(both).not.toBeAny()
  // @ts-expect-error a database without a schema has no tables to find
  const wrong = () => relational(plain)
  expectTypeOf(wrong).not.toBeAny()
})

it('knows the types of rows, batches and transactions', () => {
  const db = createDatabase({ url, schema })
  const select = () => db.select({ id: people.id, born: people.born }).from(people)
  expectTypeOf<Awaited<ReturnType<typeof select>>>().toEqualTypeOf<{ id: number; born: Date | null }[]>()
  const batch = () => db.batch([select(), db.delete(people)])
  expectTypeOf<Awaited<ReturnType<typeof batch>>[0]>().toEqualTypeOf<{ id: number; born: Date | null }[]>()
  const transaction = () => db.transaction(async (tx) => (await tx.query.people.findFirst())?.email)
  expectTypeOf<Awaited<ReturnType<typeof transaction>>>().toEqualTypeOf<string | undefined>()
})

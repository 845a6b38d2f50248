import type { AuthDatabase, Executor } from 'breakwater/auth'
import { administration } from 'breakwater/auth/administration'
import type { SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import { expect, it } from 'vitest'
import { scratchDatabase } from '../support/postgres.ts'
import { createApplication, OTHER_PASSWORD, PASSWORD } from './support.ts'

it('finds everything by an index among thirty thousand of each', async () => {
  const scratch = await scratchDatabase()
  await scratch.pool.query(`
    insert into breakwater.users (id, email, password_hash, email_verified_at)
      select gen_random_uuid(), 'user' || n || '@example.com', 'x', now() from generate_series(1, 30000) n;
    insert into breakwater.sessions (id, user_id, secret_hash, generation, expires_at, last_used_at)
      select gen_random_uuid(), id, 'x', 0, now() + random() * interval '30 days', now() - random() * interval '6 days'
      from breakwater.users;
    insert into breakwater.verification_tokens (id, user_id, purpose, secret_hash, expires_at)
      select gen_random_uuid(), id, 'reset-password', 'x', now() + random() * interval '1 day' from breakwater.users;
    insert into breakwater.auth_events (id, type, user_id, created_at)
      select gen_random_uuid(), 'signed-in', id, now() - random() * interval '300 days' from breakwater.users;
    analyze breakwater.users; analyze breakwater.sessions;
    analyze breakwater.verification_tokens; analyze breakwater.auth_events`)

  const statements = new Map<string, unknown[]>()
  const dialect = new PgDialect()
  const watched = (inner: Executor): Executor => ({
    execute(query: SQL) {
      const { sql, params } = dialect.sqlToQuery(query)
      if (sql.includes('breakwater.')) statements.set(sql, params)
      return inner.execute(query)
    },
  })
  const db: AuthDatabase = {
    ...watched(scratch.db),
    transaction: (work) => scratch.db.transaction((tx) => work(watched(tx))),
  }
  const app = await createApplication(scratch, { db })

  const email = 'somebody@example.com'
  await app.register(email)
  const client = await app.signedIn(email)
  await client.post('/auth/sign-in', { email, password: PASSWORD })
  await client.post('/auth/sign-in', { email, password: OTHER_PASSWORD })
  await client.get('/auth/sessions')
  await client.post('/auth/sign-out-everywhere')
  await client.send('DELETE', '/auth/sessions/00000000-0000-7000-8000-000000000000')
  await client.post('/auth/password/change', { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD })
  await client.post('/auth/password/forgot', { email })
  const mail = (await app.runJobs()).find((m) => m.tag === 'reset-password')
  await client.post('/auth/password/reset', { token: app.tokenIn(mail), newPassword: PASSWORD })
  const again = await app.signedIn(email)
  const { user } = (await again.get('/auth/session')).json as { user: { id: string } }
  await again.post('/auth/sign-out')
  await app.auth.endSessions(user.id)
  await administration(app.auth).disableUser(user.id)
  await administration(app.auth).prune()
  await app.settle()

  expect(statements.size).toBeGreaterThan(15)
  const readThrough = async () => {
    const tables = new Set<string>()
    for (const [statement, params] of statements) {
      const { rows } = await scratch.pool.query(`explain ${statement}`, params)
      const plan = rows.map((row) => row['QUERY PLAN'] as string).join('\n')
      for (const [, table = ''] of plan.matchAll(
        /Seq Scan on (users|sessions|verification_tokens|auth_events)/g,
      )) {
        tables.add(table)
      }
    }
    return [...tables]
  }
  expect(await readThrough()).toEqual([])
  await scratch.pool.query('drop index breakwater.sessions_user_id_idx')
  expect(await readThrough()).toEqual(['sessions'])
})

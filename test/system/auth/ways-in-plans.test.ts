import type { AuthDatabase, Executor } from 'breakwater/auth'
import { administration } from 'breakwater/auth/administration'
import { type OpenIdOptions, openidRoutes } from 'breakwater/auth/openid'
import { passkeyRoutes } from 'breakwater/auth/passkeys'
import type { SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import { expect, it } from 'vitest'
import { softwareAuthenticator } from '../support/authenticator.ts'
import { startOpenIdProvider } from '../support/openid-provider.ts'
import { scratchDatabase } from '../support/postgres.ts'
import { createApplication, PASSWORD } from './support.ts'

it('finds passkeys, identities and answered challenges by an index among ten thousand of each', async () => {
  const scratch = await scratchDatabase()
  await scratch.pool.query(`
    insert into breakwater.users (id, email, password_hash, email_verified_at)
      select gen_random_uuid(), 'user' || n || '@example.com', 'x', now() from generate_series(1, 10000) n;
    insert into breakwater.passkeys (id, user_id, credential_id, public_key, backup_eligible, backed_up, aaguid, name)
      select gen_random_uuid(), id, 'c' || id, 'x', true, true, gen_random_uuid(), 'x' from breakwater.users;
    insert into breakwater.identities (id, user_id, issuer, subject)
      select gen_random_uuid(), id, 'https://provider.example', 's' || id from breakwater.users;
    insert into breakwater.recovery_codes (user_id, code_hash)
      select id, 'x' || n from breakwater.users, generate_series(1, 2) n;
    insert into breakwater.spent_challenges (id, expires_at)
      select gen_random_uuid(), now() + random() * interval '10 minutes' from breakwater.users;
    analyze breakwater.users; analyze breakwater.passkeys; analyze breakwater.identities;
    analyze breakwater.recovery_codes; analyze breakwater.spent_challenges`)

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
  const provider = await startOpenIdProvider(['https://app.example/auth/openid/acme/callback'])
  const { issuer, clientId, clientSecret } = provider
  const options: OpenIdOptions = { providers: [{ id: 'acme', issuer, clientId, clientSecret }] }
  app.app
    .route('/auth/passkeys', passkeyRoutes(app.auth))
    .route('/auth/openid', openidRoutes(app.auth, options))

  const email = 'somebody@example.com'
  await app.register(email)
  const client = await app.signedIn(email)
  const authenticator = softwareAuthenticator('https://app.example')
  const creation = await client.post('/auth/passkeys/register/options')
  const credential = authenticator.create(creation.json as never)
  const { json } = await client.post('/auth/passkeys/register', { credential })
  const { id } = json['passkey'] as { id: string }
  const request = await client.post('/auth/passkeys/sign-in/options', {})
  await client.post('/auth/passkeys/sign-in', { credential: authenticator.get(request.json as never) })
  const due = await client.post('/auth/sign-in', { email, password: PASSWORD })
  const { challenge } = due.json
  const second = await client.post('/auth/passkeys/second-factor/options', { challenge })
  const proof = authenticator.get(second.json as never)
  await client.post('/auth/passkeys/second-factor', { challenge, credential: proof })
  await client.get('/auth/passkeys')
  await client.send('PATCH', `/auth/passkeys/${id}`, { name: 'another' })

  provider.accounts.set('one', { email: 'one@example.com', email_verified: true })
  const visit = async (path: string, login: string) => {
    const { json } = await client.post(`/auth/openid/acme/${path}`, {})
    const back = await provider.visit(String(json['url']), { login })
    return client.get(`${back.pathname}${back.search}`)
  }
  expect((await visit('link', 'two')).status).toBe(303)
  const { identities } = (await client.get('/auth/openid/identities')).json as {
    identities: { id: string }[]
  }
  expect((await client.send('DELETE', `/auth/openid/identities/${identities[0]?.id}`)).status).toBe(200)
  expect((await client.send('DELETE', `/auth/passkeys/${id}`)).status).toBe(200)
  expect((await visit('start', 'one')).status).toBe(303)
  await administration(app.auth).prune()
  await app.settle()
  await provider.stop()

  expect(statements.size).toBeGreaterThan(20)
  const tables = new Set<string>()
  for (const [statement, params] of statements) {
    // What pruning reads of other tables is looked at elsewhere.
    const whole = /^with a as/.test(statement)
      ? 'spent_challenges'
      : 'users|passkeys|identities|recovery_codes|spent_challenges'
    const { rows } = await scratch.pool.query(`explain ${statement}`, params)
    const plan = rows.map((row) => row['QUERY PLAN'] as string).join('\n')
    for (const [line] of plan.matchAll(new RegExp(`Seq Scan on (?:${whole}).*`, 'g'))) {
      tables.add(`${line}: ${statement.replaceAll(/\s+/g, ' ').slice(0, 200)}`)
    }
  }
  expect([...tables]).toEqual([])
})

import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type Application, createApplication, OTHER_PASSWORD, PASSWORD } from './support.ts'

let scratch: ScratchDatabase
let app: Application
let email: string
let count = 0

beforeAll(async () => {
  scratch = await scratchDatabase()
  app = await createApplication(scratch, { sessions: { perUser: 100 } })
})
beforeEach(() => {
  email = `racer${++count}@example.com`
})

// What was left for after the reply must not outlive the database.
afterEach(() => app.settle())

const times = <T>(n: number, work: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: n }, (_, i) => work(i)))
const tally = (statuses: readonly number[]) => {
  const counts: Record<number, number> = {}
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

it('lets one of fifty uses of a reset link win', async () => {
  await app.register(email)
  await app.createClient().post('/auth/password/forgot', { email })
  const [mail] = await app.runJobs()
  const token = app.tokenIn(mail)
  const passwords = Array.from({ length: 50 }, (_, i) => `passphrase of contender ${i}`)
  const statuses = await times(50, async (i) => {
    const reply = await app.createClient().post('/auth/password/reset', { token, newPassword: passwords[i] })
    return reply.status
  })
  expect(tally(statuses)).toEqual({ 200: 1, 400: 49 })
  const winner = passwords[statuses.indexOf(200)] ?? ''
  await app.signedIn(email, winner)
})

it('lets one of two reset links of one account win, and never lets them wait for each other', async () => {
  await app.register(email)
  for (let round = 0; round < 5; round++) {
    await app.createClient().post('/auth/password/forgot', { email })
    await app.createClient().post('/auth/password/forgot', { email })
    const tokens = (await app.runJobs()).map((mail) => app.tokenIn(mail))
    expect(tokens).toHaveLength(2)
    const statuses = await times(2, async (i) => {
      const reply = await app.createClient().post('/auth/password/reset', {
        token: tokens[i],
        newPassword: `passphrase ${round} ${i} of the race`,
      })
      return reply.status
    })
    expect(tally(statuses)).toEqual({ 200: 1, 400: 1 })
    await app.runJobs()
  }
})

it('verifies an address once, though the link is followed twice at once', async () => {
  for (let round = 0; round < 5; round++) {
    const address = `${round}-${email}`
    await app.createClient().post('/auth/sign-up', { email: address, password: PASSWORD })
    const mail = (await app.runJobs()).find((m) => m.to === address && m.tag === 'verify-mail')
    const token = app.tokenIn(mail)
    const statuses = await times(
      2,
      async () => (await app.createClient().post('/auth/verify-mail', { token })).status,
    )
    expect(tally(statuses)).toEqual({ 200: 1, 400: 1 })
    await app.signedIn(address)
  }
})

it('makes one account of thirty sign-ups at once, and answers them all alike', async () => {
  const replies = await times(30, () =>
    app.createClient().post('/auth/sign-up', { email, password: PASSWORD }),
  )
  expect(new Set(replies.map((r) => JSON.stringify([r.status, r.json])))).toEqual(
    new Set(['[202,{"status":"check-your-mail"}]']),
  )
  const { rows } = await scratch.pool.query(`select id from breakwater.users where email = $1`, [email])
  expect(rows).toHaveLength(1)
  expect((await app.runJobs()).filter((m) => m.tag === 'verify-mail')).toHaveLength(30)
})

it('leaves no old session behind when a password changes in the middle of everything', async () => {
  await app.register(email)
  const [changer, ...others] = await times(10, () => app.signedIn(email))
  if (changer === undefined) throw new Error('nobody signed in')
  // Requests, and sign-ins with the old password, before, during and after the change.
  const signIns = times(20, async (i) => {
    await new Promise((resolve) => setTimeout(resolve, i * 3))
    const client = app.createClient()
    const reply = await client.post('/auth/sign-in', { email, password: PASSWORD })
    return reply.status === 200 ? client : undefined
  })
  const requests = times(50, async (i) => {
    await new Promise((resolve) => setTimeout(resolve, i))
    return (await others[i % others.length]?.get('/me'))?.status
  })
  await new Promise((resolve) => setTimeout(resolve, 20))
  const change = changer.post('/auth/password/change', {
    currentPassword: PASSWORD,
    newPassword: OTHER_PASSWORD,
  })
  expect((await change).status).toBe(200)
  expect(await times(9, async (i) => (await others[i]?.get('/me'))?.status)).toEqual(Array(9).fill(401))
  for (const status of await requests) expect([200, 401]).toContain(status)
  // Whoever got in with the old password got in before, and is out.
  const admitted = (await signIns).filter((client) => client !== undefined)
  expect(await Promise.all(admitted.map(async (client) => (await client.get('/me')).status))).toEqual(
    admitted.map(() => 401),
  )
  expect((await changer.get('/me')).status).toBe(200)
})

it('ends a session that was signed in to while the change of password waited for it', async () => {
  await app.register(email)
  const changer = await app.signedIn(email)
  const { rows } = await scratch.pool.query(
    'select id, session_generation from breakwater.users where email = $1',
    [email],
  )
  const { id, session_generation: generation } = rows[0] as { id: string; session_generation: number }
  // A sign-in that holds the account's row and has not yet committed; the change cannot see its session.
  const slow = await scratch.pool.connect()
  await slow.query('begin')
  await slow.query('select 1 from breakwater.users where id = $1 for no key update', [id])
  const change = changer.post('/auth/password/change', {
    currentPassword: PASSWORD,
    newPassword: OTHER_PASSWORD,
  })
  await expect
    .poll(async () => {
      const waiting = await scratch.pool.query(
        `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return waiting.rows[0].n
    })
    .toBe(1)
  await slow.query(
    `insert into breakwater.sessions (id, user_id, secret_hash, generation, expires_at)
      values ('01900000-0000-7000-8000-00000000000${count % 10}', $1, 'x', $2, now() + interval '1 day')`,
    [id, generation],
  )
  await slow.query('commit')
  slow.release()
  expect((await change).status).toBe(200)
  expect((await app.auth.listSessions(id)).map((s) => s.device)).toEqual(['Firefox on Linux'])
})

it('changes a password once, though it is asked for twice at once', async () => {
  await app.register(email)
  const client = await app.signedIn(email)
  const token = client.jar.get('__Host-session') ?? ''
  const replies = await times(8, async (i) => {
    const tab = app.createClient()
    tab.jar.set('__Host-session', token)
    return (
      await tab.post('/auth/password/change', {
        currentPassword: PASSWORD,
        newPassword: `passphrase number ${i}`,
      })
    ).status
  })
  expect(replies.filter((status) => status === 200)).toHaveLength(1)
  expect(replies.every((status) => status === 200 || status === 401)).toBe(true)
  await app.signedIn(email, `passphrase number ${replies.indexOf(200)}`)
})

it('signs in, out and everywhere at once without waiting for itself', async () => {
  await app.register(email)
  const few = await createApplication(scratch, { sessions: { perUser: 3 } })
  const statuses = await times(40, async (i) => {
    const client = few.createClient()
    const signedIn = await client.post('/auth/sign-in', { email, password: PASSWORD })
    if (i % 3 === 0) await client.post('/auth/sign-out-everywhere')
    if (i % 3 === 1) await client.post('/auth/sign-out')
    return signedIn.status
  })
  expect(tally(statuses)).toEqual({ 200: 40 })
  await few.settle()
  await few.signedIn(email)
  const { rows } = await scratch.pool.query(
    `select count(*)::int as n from breakwater.sessions where user_id = (select id from breakwater.users where email = $1)`,
    [email],
  )
  expect(rows[0].n).toBeLessThanOrEqual(3)
})
